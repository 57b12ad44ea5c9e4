"""The workflows. Temporal records what they do, and continues them wherever their worker was killed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities import HEARTBEAT_TIMEOUT, LISTED_AFTER, NOTHING_CREATED, Activities

CREATES = "creates"
HEARTBEAT = timedelta(seconds=HEARTBEAT_TIMEOUT)
# More than the recent requests that the service lists.
KEPT = 1000


@dataclass
class Order:
    workflow_id: str
    prompt: str


@dataclass
class Created:
    """The generation of an order, or why it has none."""

    id: str = ""
    problem: str = ""


@workflow.defn
class MakeVideo:
    """Makes the video of an order. The name of the order is the id of the workflow."""

    def __init__(self) -> None:
        self.outcome: Created | None = None

    @workflow.run
    async def run(self, prompt: str) -> str | None:
        creates = workflow.get_external_workflow_handle(CREATES)
        await creates.signal(Creates.order, Order(workflow.info().workflow_id, prompt))
        await workflow.wait_condition(lambda: self.outcome is not None)
        if self.outcome is None or self.outcome.problem:
            raise ApplicationError(self.outcome.problem if self.outcome else "", non_retryable=True)
        return await workflow.execute_activity_method(
            Activities.wait,
            self.outcome.id,
            heartbeat_timeout=HEARTBEAT,
            schedule_to_close_timeout=timedelta(hours=1),
        )

    @workflow.signal
    def created(self, outcome: Created) -> None:
        self.outcome = outcome


@workflow.defn
class Creates:
    """Sends the creates of all orders one after another, so that it is clear to which order the generation
    of a lost create belongs."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.taken: list[str] = []

    @workflow.run
    async def run(self, orders: list[Order], taken: list[str]) -> None:
        self.orders = orders + self.orders
        self.taken = taken
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: bool(self.orders))
            order = self.orders.pop(0)
            outcome = await self.create(order.prompt)
            self.taken.append(outcome.id)
            handle = workflow.get_external_workflow_handle(order.workflow_id)
            await handle.signal(MakeVideo.created, outcome)
        # A history has a limit: the workflow begins a new one.
        workflow.continue_as_new(args=[self.orders, self.taken[-KEPT:]])

    @workflow.signal
    def order(self, order: Order) -> None:
        self.orders.append(order)

    async def create(self, prompt: str) -> Created:
        while True:
            sent_at = workflow.now()
            try:
                id = await workflow.execute_activity_method(
                    Activities.create,
                    prompt,
                    heartbeat_timeout=HEARTBEAT,
                    start_to_close_timeout=timedelta(minutes=10),
                    # Temporal must not run it again by itself: that may pay twice.
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
                return Created(id)
            except ActivityError as error:
                cause = error.cause
                if not isinstance(cause, ApplicationError) or cause.type != NOTHING_CREATED:
                    return await self.find(sent_at)
                if cause.non_retryable:
                    return Created(problem=cause.message)
            await workflow.sleep(10)

    async def find(self, sent_at: datetime) -> Created:
        """Finds out what a create with a killed worker or a lost response has made. It is never sent
        again."""
        while True:
            recent = await workflow.execute_activity_method(
                Activities.recent, sent_at, start_to_close_timeout=timedelta(minutes=1)
            )
            free = [id for id in recent if id not in self.taken]
            if len(free) == 1:
                return Created(free[0])
            if workflow.now() > sent_at + timedelta(seconds=LISTED_AFTER):
                return Created(problem="It is unknown whether the create has made a generation.")
            await workflow.sleep(1)
