// Five empty activities with Temporal's SDK for TypeScript. Arguments: the server's address, a task queue.
const { NativeConnection, Worker } = require("@temporalio/worker");

async function main([address, taskQueue]) {
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: require.resolve("./workflows.cjs"),
    activities: { step: async () => {} },
  });
  console.log("worker ready");
  await worker.run();
}

main(process.argv.slice(2));
