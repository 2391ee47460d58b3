"""Five empty activities with Temporal's SDK for Python. Arguments: the server's address, a task queue."""

import asyncio
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@activity.defn
async def step() -> None:
    pass


@workflow.defn(name="FiveSteps")
class FiveSteps:
    @workflow.run
    async def run(self) -> None:
        for _ in range(5):
            await workflow.execute_activity(step, start_to_close_timeout=timedelta(minutes=1))


async def main(address, task_queue):
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[FiveSteps],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    print("worker ready", flush=True)
    await worker.run()


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:
    pass
