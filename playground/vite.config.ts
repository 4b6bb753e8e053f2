/** How the page is built: hashed names, and every file compressed beside itself. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { OPERATIONS } from "./src/operations.ts";

const OUT = "../gql_app/web/static";
/** Formats that are not compressed already. */
const COMPRESSIBLE = /\.(js|css|svg|ttf)$/;

/** Write FILE.br and FILE.gz next to each file, so that the server need not compress them. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async closeBundle() {
      const folder = join(import.meta.dirname, OUT, "playground");
      const names = (await readdir(folder)).filter((name) => COMPRESSIBLE.test(name));
      await Promise.all(
        names.map(async (name) => {
          const file = join(folder, name);
          const bytes = await readFile(file);
          await writeFile(`${file}.br`, await promisify(brotliCompress)(bytes));
          await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }));
        }),
      );
    },
  };
}

/** Emit the page's own operations in the server's format of trusted documents. */
function listed(): Plugin {
  return {
    name: "listed",
    apply: "build",
    generateBundle() {
      const source = JSON.stringify(OPERATIONS, null, 2);
      this.emitFile({ type: "asset", fileName: "operations.json", source });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [compressed(), listed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: "playground",
    // A font in a data: URL would have to be allowed by the CSP.
    assetsInlineLimit: 0,
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4096,
    rolldownOptions: {
      // React's "use client" means nothing in a page that has no server side.
      checks: { moduleLevelDirective: false },
    },
  },
});
