// Prints the JavaScript client's previews of the texts that the standard input has, by their names.

import { previewOf } from "../../clients/javascript/parley/preview.js";

let input = "";
for await (const part of process.stdin) input += part;
const texts = Object.entries(JSON.parse(input));
console.log(JSON.stringify(Object.fromEntries(texts.map(([name, text]) => [name, previewOf(text)]))));
