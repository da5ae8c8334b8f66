// node examples/memory.mjs [model directory]: who holds what, and who forgot to give it back.

import {setTimeout as sleep} from 'node:timers/promises';
import {loadModel, memory, Tensor} from 'node-exllama';

const model = await loadModel(process.argv[2] ?? 'models/tinystories-656k-exl2');
console.log(`Loaded:\n${memory.table()}`);

await model.dispose();
console.log(`\nAfter model.dispose():\n${memory.table()}`);

// From here on everything remembers where it was created.
memory.trackStacks(true);
memory.on('leak', ({kind, name, bytes, stack}) => {
	console.log(`\n${name} (${kind}, ${bytes} bytes) was collected without dispose(). It was created\n${stack}`);
});

function forget() {
	Tensor.zeros([256, 1024]);
}
forget();
console.log(`\nWith a forgotten tensor:\n${memory.table()}`);

// The collector comes when it likes; node --expose-gc makes it come now.
if (globalThis.gc) {
	globalThis.gc();
	await sleep(10);
	console.log(`\nAfter a garbage collection:\n${memory.table()}`);
} else {
	console.log('\nStart it with --expose-gc to see the report.');
}
