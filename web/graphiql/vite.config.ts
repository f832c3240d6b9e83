import { defineConfig } from "vite";

// Built into api/static, from where the API serves it; relative addresses let it live under any path.
export default defineConfig({
  base: "./",
  build: {
    chunkSizeWarningLimit: 8192,
    emptyOutDir: true,
    outDir: "../../api/static/graphiql",
    rolldownOptions: {
      onLog(level, log, report) {
        // Marks such as "use client" in React libraries mean nothing to a page without server components.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") {
          report(level, log);
        }
      },
    },
  },
  // The editor's workers are files of our own origin, so that the page needs no blob or eval permission.
  worker: { format: "es" },
});
