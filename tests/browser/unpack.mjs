// Unpacks the browser and the libraries that it needs into node_modules/.chromium, all or nothing.
import { mkdir, rename, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";

const packed = new URL("../bin/", import.meta.resolve("@sparticuz/chromium"));
const [partial, target] = ["partial", "chromium"].map((name) =>
  fileURLToPath(new URL(`node_modules/.${name}`, import.meta.url)),
);
await rm(partial, { force: true, recursive: true });
await mkdir(partial);
process.env.TMPDIR = partial; // where inflate writes to
await Promise.all(
  ["chromium.br", "al2023.tar.br", "fonts.tar.br"].map((file) =>
    inflate(fileURLToPath(new URL(file, packed))),
  ),
);
await rm(target, { force: true, recursive: true });
await rename(partial, target);
