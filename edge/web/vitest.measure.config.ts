import { defineConfig } from "vitest/config";

export default defineConfig({ test: { include: ["test/measure/*.measure.ts"], testTimeout: 900_000 } });
