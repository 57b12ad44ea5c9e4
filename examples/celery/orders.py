"""Pays for each order at most once, however often its task runs, and wherever it is killed."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timezone

import redis

from pipevideo import InternalError, Pipevideo, PipevideoError, SubmissionUncertainError

MODEL = "moonshotai/kimi-k2.5"
# The create that is being sent, or has an unknown outcome: at most one at a time, so that it is clear
# to which order the generation of a lost create belongs.
ATTEMPT = "video:attempt"
# A hash with the generation of each order, or UNKNOWN.
GENERATIONS = "video:generations"
UNKNOWN = "unknown"
# How many seconds after a create the account's list certainly has it.
LISTED_AFTER = float(os.environ.get("LISTED_AFTER", 30))


# Ends an attempt, with the generation of its order if that is known. What was found out counts only as
# long as the attempt is open: another process may have found it out before.
END = """
local is_open = redis.call('GET', KEYS[1]) == ARGV[1]
if ARGV[3] ~= '' and (is_open or ARGV[4] == 'certain') then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
end
if is_open then redis.call('DEL', KEYS[1]) end
"""


class TryAgainLater(Exception):
    """The outcome of a create is not known yet, of this order or of another one."""


class OutcomeUnknown(Exception):
    """A create may have been processed, and no generation was found. A person has to decide."""


def create_once(client: Pipevideo, server: redis.Redis, order: str, prompt: str) -> str:
    """Returns the id of the order's generation, which it creates if that was not attempted before."""
    settle(client, server)
    attempt = json.dumps({"order": order, "begun": time.time()})
    if not server.set(ATTEMPT, attempt, nx=True):
        raise TryAgainLater("another create is being sent")
    # Read after the attempt was recorded: from here on no other process changes it.
    id = server.hget(GENERATIONS, order)
    if id is not None:
        end(server, attempt, order)
    else:
        id = create(client, server, attempt, order, prompt)
        end(server, attempt, order, id, "certain")
    if id == UNKNOWN:
        raise OutcomeUnknown(f"To create order {order} again, delete its field in {GENERATIONS}.")
    return str(id)


def create(client: Pipevideo, server: redis.Redis, attempt: str, order: str, prompt: str) -> str:
    try:
        return client.responses.create(model=MODEL, input=prompt).id
    except (SubmissionUncertainError, InternalError) as error:
        if error.generation_id is None:
            # The attempt stays recorded, and the next run settles it.
            raise TryAgainLater("the create may have been processed") from error
        return error.generation_id
    except PipevideoError:
        # Every other error means that the service has made nothing.
        end(server, attempt, order)
        raise


def settle(client: Pipevideo, server: redis.Redis) -> None:
    """Finds out what the create of a killed process, or one with a lost response, has made.

    It is never sent again, not even if nothing was found.
    """
    attempt = server.get(ATTEMPT)
    if attempt is None:
        return
    order, begun = json.loads(attempt)["order"], json.loads(attempt)["begun"]
    if server.hexists(GENERATIONS, order):
        # Its process was killed before it had read that the order has a generation, and has sent nothing.
        end(server, attempt, order)
        return
    sent_at = datetime.fromtimestamp(begun, timezone.utc)
    found = client.responses.reconcile(SubmissionUncertainError(model=MODEL, sent_at=sent_at))
    taken = server.hvals(GENERATIONS)
    free = [candidate.id for candidate in found if candidate.id not in taken]
    if len(free) == 1 and free[0] is not None:
        end(server, attempt, order, free[0])
    elif time.time() < begun + LISTED_AFTER:
        raise TryAgainLater("the service may not have listed the generation yet")
    else:
        end(server, attempt, order, UNKNOWN)


def end(
    server: redis.Redis, attempt: bytes | str, order: str, id: str = "", source: str = "found"
) -> None:
    server.eval(END, 2, ATTEMPT, GENERATIONS, attempt, order, id, source)
