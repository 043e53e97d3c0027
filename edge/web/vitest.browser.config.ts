import { defineConfig } from "vitest/config";

// one browser at a time: they share two cores with whoever else is there
export default defineConfig({
  test: { include: ["test/browser/**/*.test.ts"], fileParallelism: false, testTimeout: 240_000, hookTimeout: 120_000 },
});
