"""A fair queue: whoever asks many times comes no more often than anybody else."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import pytest

from gql_app.lib.fair_queue import FairQueue, Party

FLOOD = Party.of("198.51.100.66", "flood")
VICTIM = Party.of("203.0.113.5", "victim")


def clients(count: int) -> list[Party]:
    """Make up so many clients, each with an account of its own."""
    return [Party.of(f"192.0.2.{number}", number) for number in range(count)]


async def served(queue: FairQueue, parties: Iterable[Party]) -> tuple[list[Party], list[Party]]:
    """Have all ask while every place is taken; return who came, in order, and who was refused."""
    came: list[Party] = []
    refused: list[Party] = []

    async def ask(party: Party) -> None:
        try:
            async with queue.place(party):
                came.append(party)
                await asyncio.sleep(0)
        except asyncio.QueueFull:
            refused.append(party)

    async with AsyncExitStack() as taken:
        for _ in range(queue.taken, 1):
            await taken.enter_async_context(queue.place(Party.of(None)))
        asking = [asyncio.create_task(ask(party)) for party in parties]
        await asyncio.sleep(0)
    await asyncio.gather(*asking)
    assert (queue.taken, queue.waiting, queue.full) == (0, 0, False)
    return came, refused


@pytest.mark.parametrize("flood", [1, 64, 320, 5_000])
async def test_victim_of_a_flood_has_the_turn_after_the_first_of_it(flood: int) -> None:
    queue = FairQueue(places=1, waiting=256)
    came, refused = await served(queue, [*[FLOOD] * flood, VICTIM])
    assert came.index(VICTIM) <= 1
    assert refused == [FLOOD] * (flood - min(flood, 64))


async def test_every_try_of_a_victim_is_granted_beside_a_flood_that_never_ends() -> None:
    queue = FairQueue(places=2, waiting=256)
    turns = {FLOOD: 0, VICTIM: 0}
    ended = False

    async def flood() -> None:
        while not ended:
            try:
                async with queue.place(FLOOD):
                    turns[FLOOD] += 1
                    await asyncio.sleep(0)
            except asyncio.QueueFull:
                await asyncio.sleep(0)

    flooding = [asyncio.create_task(flood()) for _ in range(320)]
    await asyncio.sleep(0)
    for _ in range(16):
        before = turns[FLOOD]
        async with queue.place(VICTIM):
            turns[VICTIM] += 1
            assert turns[FLOOD] - before <= 4
            await asyncio.sleep(0)
    ended = True
    await asyncio.gather(*flooding)
    assert turns[VICTIM] == 16


async def test_turns_go_round_all_clients() -> None:
    three = clients(3)
    came, _ = await served(
        FairQueue(places=1, waiting=64), [party for party in three for _ in range(4)]
    )
    assert came == three * 4


@pytest.mark.parametrize(
    ("waiting", "most"), [(0, 0), (1, 1), (3, 1), (4, 1), (8, 2), (256, 64), (257, 64)]
)
async def test_one_client_waits_in_a_quarter_of_the_queue(waiting: int, most: int) -> None:
    came, refused = await served(
        FairQueue(places=1, waiting=waiting), [Party.of("192.0.2.1")] * 300
    )
    assert (len(came), len(refused)) == (most, 300 - most)


async def test_one_ipv6_network_is_one_client() -> None:
    addresses = [f"2001:db8::{number:x}" for number in range(300)]
    came, _ = await served(FairQueue(places=1, waiting=256), map(Party.of, addresses))
    assert len(came) == 64
    mixed = ["192.0.2.1", "::ffff:192.0.2.1"] * 150
    came, _ = await served(FairQueue(places=1, waiting=256), map(Party.of, mixed))
    assert len(came) == 64


async def test_one_account_is_waited_for_in_half_of_the_queue_from_all_its_clients() -> None:
    queue = FairQueue(places=1, waiting=256)
    many = [Party.of(f"198.51.100.{number}", "flood") for number in range(250)]
    came, refused = await served(queue, [*many, VICTIM])
    assert (len(came), len(refused)) == (129, 122)
    assert VICTIM in came


async def test_one_client_leaves_room_for_an_account_to_come_from_elsewhere() -> None:
    owner = Party.of("203.0.113.5", FLOOD.account)
    came, _ = await served(FairQueue(places=1, waiting=256), [*[FLOOD] * 300, owner])
    assert owner in came


async def test_all_clients_together_wait_in_the_whole_queue_and_no_more() -> None:
    came, refused = await served(FairQueue(places=1, waiting=8), clients(20))
    assert (len(came), len(refused)) == (8, 12)


async def test_queue_is_full_when_nobody_could_wait() -> None:
    queue = FairQueue(places=1, waiting=1)
    assert not queue.full
    async with queue.place(FLOOD):
        assert not queue.full
        other = asyncio.create_task(enter(queue, VICTIM))
        await asyncio.sleep(0)
        assert (queue.full, queue.taken, queue.waiting) == (True, 1, 1)
    await other


async def enter(queue: FairQueue, party: Party) -> None:
    """Take a place, and leave."""
    async with queue.place(party):
        pass


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("when", ["waiting", "given", "both"])
async def test_whoever_gives_up_leaves_the_turn_to_the_next(which: int, when: str) -> None:
    queue = FairQueue(places=1, waiting=64)
    came: list[int] = []

    async def ask(number: int) -> None:
        async with queue.place(Party.of("192.0.2.1", number)):
            came.append(number)

    async with AsyncExitStack() as first:
        await first.enter_async_context(queue.place(VICTIM))
        tasks = [asyncio.create_task(ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        cancel: Callable[[], object] = tasks[which].cancel
        if when != "given":
            cancel()
        if when == "waiting":
            await asyncio.sleep(0)
    if when == "given":
        cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in told].count(asyncio.CancelledError) == 1
    assert came == [number for number in range(3) if number != which]
    assert (queue.taken, queue.waiting) == (0, 0)


async def test_place_is_given_back_after_a_failure() -> None:
    queue = FairQueue(places=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with queue.place(VICTIM):
                _ = 1 / 0
    await enter(queue, VICTIM)
