// Runs ONNX graphs in onnxruntime-node. In, as JSON: [{file, dims, pixels}], pixels in base64;
// out: for each {outputs: {NAME: {dims, values}}}, values as float32 in base64, or {fails: REASON}.
const ort = require('onnxruntime-node');

async function run({ file, dims, pixels }) {
  try {
    const session = await ort.InferenceSession.create(file, { executionProviders: ['cpu'] });
    const tensor = new ort.Tensor('uint8', new Uint8Array(Buffer.from(pixels, 'base64')), dims);
    const outputs = {};
    for (const [name, { dims, data }] of Object.entries(await session.run({ pixels: tensor }))) {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      outputs[name] = { dims, values: bytes.toString('base64') };
    }
    return { outputs };
  } catch (error) {
    return { fails: String(error.message ?? error) };
  }
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const answers = [];
  for (const task of JSON.parse(Buffer.concat(chunks).toString())) answers.push(await run(task));
  process.stdout.write(JSON.stringify(answers));
}

main();
