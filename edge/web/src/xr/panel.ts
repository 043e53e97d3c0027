// The caption in the room: a panel near the hand that stays where it was put, drawn by WebGL.
import type { Point } from "./joints";

const [WIDTH, HEIGHT] = [1024, 320];
/** Metres: width of the panel; above the wrist; nearest to the eyes; how far the hand goes before the panel follows. */
const SIZE = 0.36;
const ABOVE = 0.17;
const NEAREST = 0.6;
const LEASH = 0.35;

const VERTEX = `attribute vec2 at; uniform mat4 all; uniform vec2 size; varying vec2 uv;
void main() { uv = vec2(at.x + 0.5, 0.5 - at.y); gl_Position = all * vec4(at * size, 0.0, 1.0); }`;
const FRAGMENT = `precision mediump float; uniform sampler2D picture; varying vec2 uv;
void main() { gl_FragColor = texture2D(picture, uv); }`;

export class Panel {
  private readonly canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  private readonly program: WebGLProgram;
  private readonly texture: WebGLTexture;
  private readonly corners: WebGLBuffer;
  private text = "";
  private changed = false;
  private anchor: Point | null = null;
  /** Where it stands, as a column-major matrix; null = nothing to show yet. */
  model: Float32Array | null = null;

  constructor(private readonly gl: WebGLRenderingContext | WebGL2RenderingContext) {
    this.program = gl.createProgram()!;
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
      const shader = gl.createShader(kind)!;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    this.corners = gl.createBuffer()!;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]), gl.STATIC_DRAW);
    this.texture = gl.createTexture()!;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const [name, value] of [
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR], [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    ] as const) gl.texParameteri(gl.TEXTURE_2D, name, value);
  }

  show(text: string, final: boolean): void {
    if (text === this.text) return;
    this.text = text;
    this.changed = true;
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, WIDTH, HEIGHT);
    if (!text) return;
    context.fillStyle = "#11151ce6";
    context.beginPath();
    context.roundRect(4, 4, WIDTH - 8, HEIGHT - 8, 36);
    context.fill();
    context.fillStyle = final ? "#ffffff" : "#c3ccd8";
    context.textAlign = "center";
    context.textBaseline = "middle";
    let size = 64;
    let lines = wrap(context, text, size);
    for (; lines.length * size * 1.25 > HEIGHT - 40 && size > 30; size -= 6) lines = wrap(context, text, size - 6);
    context.font = `600 ${size}px system-ui, sans-serif`;
    lines.forEach((line, i) => context.fillText(line, WIDTH / 2, HEIGHT / 2 + (i - (lines.length - 1) / 2) * size * 1.25));
  }

  /** Stay in the room; come along only when the hand has gone far away. Both points in the reference space. */
  follow(hand: Point | null, head: Point): void {
    if (!hand) return;
    const far = this.anchor ? Math.hypot(hand.x - this.anchor.x, hand.y - this.anchor.y, hand.z - this.anchor.z) : Infinity;
    if (far <= LEASH) return;
    this.anchor = hand;
    let [x, y, z] = [hand.x, hand.y + ABOVE, hand.z];
    let way = [x - head.x, y - head.y, z - head.z];
    const distance = Math.max(Math.hypot(...way), 1e-3);
    if (distance < NEAREST) {
      way = way.map((v) => (v * NEAREST) / distance);
      [x, y, z] = [head.x + way[0]!, head.y + way[1]!, head.z + way[2]!];
    }
    // its face to the eyes, its edges level
    const face = unit([head.x - x, head.y - y, head.z - z]);
    const right = unit([face[2], 0, -face[0]]);
    const up = [face[1] * right[2], face[2] * right[0] - face[0] * right[2], -face[1] * right[0]];
    this.model = new Float32Array([...right, 0, ...up, 0, ...face, 0, x, y, z, 1]);
  }

  /** Draw for one eye; `seen` = projection times view, column-major. */
  draw(seen: Float32Array): void {
    if (!this.model || !this.text) return;
    const { gl } = this;
    gl.useProgram(this.program);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (this.changed) {
      gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, this.canvas);
      this.changed = false;
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.corners);
    const at = gl.getAttribLocation(this.program, "at");
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 0, 0);
    gl.uniformMatrix4fv(gl.getUniformLocation(this.program, "all"), false, multiply(seen, this.model));
    gl.uniform2f(gl.getUniformLocation(this.program, "size"), SIZE, (SIZE * HEIGHT) / WIDTH);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

function unit(v: readonly [number, number, number]): [number, number, number] {
  const long = Math.max(Math.hypot(...v), 1e-6);
  return [v[0] / long, v[1] / long, v[2] / long];
}

function wrap(context: CanvasRenderingContext2D, text: string, size: number): string[] {
  context.font = `600 ${size}px system-ui, sans-serif`;
  const lines: string[] = [];
  let line = "";
  // Chinese breaks anywhere, English between words
  for (const piece of text.match(/[\u3400-\u9fff，。、；：]|[^\s\u3400-\u9fff，。、；：]+\s*/g) ?? []) {
    if (line && context.measureText(line + piece.trimEnd()).width > WIDTH - 90) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += piece;
  }
  return line ? [...lines, line.trimEnd()] : lines;
}

/** a times b, column-major 4 x 4. */
export function multiply(a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(16);
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      for (let k = 0; k < 4; k++) out[column * 4 + row]! += a[k * 4 + row]! * b[column * 4 + k]!;
    }
  }
  return out;
}
