"""Bounded queues: what a slow listener loses, and that it is told; what waits for the captioner."""

import asyncio
import json

from edge.events import Caption
from edge.hands.frame import HandFrame
from edge.serve.hub import Hub, Listener
from edge.serve.session import Inbox


def caption(number: int, final: bool = True) -> Caption:
    return Caption(f"phrase-{number}", float(number), float(number), final=final, text=str(number))


def test_a_full_queue_gives_up_the_provisional_first_and_says_how_many():
    listener = Listener(depth=4)
    for number in range(4):
        listener.put(caption(number, final=number != 2).to_dict())
    for number in range(4, 7):
        listener.put(caption(number).to_dict())
    dropped, *kept = (json.loads(line) for line in listener.waiting())
    assert [k["text"] for k in kept] == ["3", "4", "5", "6"]
    assert (dropped["type"], dropped["reason"], dropped["count"]) == ("dropped", "slow_listener", 3)
    listener.put(caption(7).to_dict())
    assert [json.loads(line)["type"] for line in listener.waiting()] == ["caption"]


def test_every_listener_has_a_queue_of_its_own():
    async def main():
        hub = Hub()
        hub.begin(asyncio.get_running_loop())
        assert hub.open("a")
        assert not hub.open("a")
        with hub.listening("a") as quick, hub.listening("a", depth=2) as slow, hub.listening("b") as other:
            assert hub.streams == {"a": 2}
            for number in range(5):
                await asyncio.to_thread(hub.publish, "a", [caption(number)])
                assert len(await quick.next()) == 1
            assert slow.lost == 3
            assert not other.waiting()
            hub.shut("a")
            assert len(await slow.next()) == 3  # two, and how many were lost
            assert await slow.next() == []
            assert await quick.next() == []
        assert hub.streams == {}

    asyncio.run(main())


def test_live_frames_make_room_and_the_flush_stays():
    async def main():
        inbox = Inbox(live=True, depth=3)
        for t in (1, 2):
            await inbox.put(HandFrame(t))
        await inbox.put(None)
        for t in (3, 4, 5):
            await inbox.put(HandFrame(t))
        assert inbox.lost == 3
        taken = [(await inbox.take())[0] for _ in range(3)]
        assert [f and f.t_ns for f in taken] == [None, 4, 5]
        await inbox.end()
        assert await inbox.take() == []

    asyncio.run(main())


def test_without_live_the_sender_waits():
    async def main():
        inbox = Inbox(live=False, depth=2)
        for t in (1, 2):
            await inbox.put(HandFrame(t))
        third = asyncio.create_task(inbox.put(HandFrame(3)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not third.done()
        assert (await inbox.take())[0].t_ns == 1
        await third
        assert [(await inbox.take())[0].t_ns for _ in range(2)] == [2, 3]
        assert inbox.lost == 0

    asyncio.run(main())
