import "./ui/style.css";
import { App } from "./ui/app";
import { register } from "./ui/offline";
import { offerHeadset } from "./xr/offer";

const query = new URLSearchParams(location.search);
const app = new App(query);
/** For the console and for tests: figop.rows holds every event as it would stand in a JSON line. */
Object.assign(globalThis, { figop: app });
// what is kept for offline use comes out of the browser's own cache then, and is not in the way of the first load
void app.open(query.get("bundle") ?? "./bundle/").then(register);
void offerHeadset(app);
