"""Sends messages of all sizes on WebSockets with all parameters of compression (RFC 7692), and
expects each back. Writes how many came back, and how many of them were compressed."""

import itertools
import json
import random
import sys

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

SIZES = [0, 64, 1024, 16384, 131072]


class Counting(ClientPerMessageDeflateFactory):
    """An offer whose extension counts the messages that come compressed."""

    def process_response_params(self, params, accepted):
        extension = super().process_response_params(params, accepted)
        decode, self.agreed, self.compressed = extension.decode, dict(params), 0

        def counted(frame, *, max_size=None):
            self.compressed += frame.rsv1
            return decode(frame, max_size=max_size)

        extension.decode = counted
        return extension


def offers():
    for takeover, server in itertools.product([False, True], [None, 8, 15]):
        yield [Counting(takeover, takeover, server, True)]
    yield [Counting(True, True, 9, True), Counting(True, True), Counting()]


def messages(chance):
    words = json.dumps([{"name": f"user-{n % 7}", "text": "hello, world", "n": n} for n in range(4000)])
    for size in SIZES:
        yield words[:size]
        yield words[:size].encode()
        yield chance.randbytes(size)


def main(urls):
    chance, echoed, compressed = random.Random(12), 0, 0
    sent = list(messages(chance))
    for url, factories in itertools.product(urls, offers()):
        with connect(url, extensions=factories, compression=None, max_size=None) as socket:
            [agreed] = [each.agreed for each in factories if hasattr(each, "agreed")]
            window = factories[0].server_max_window_bits
            expected = {"server_no_context_takeover": None, "client_no_context_takeover": None}
            if window is not None:
                expected["server_max_window_bits"] = str(window)
            assert agreed == expected, (agreed, expected)
            for message in sent:
                in_pieces = len(message) > 1 and chance.random() < 0.5
                cut = len(message) // 3
                socket.send([message[:cut], message[cut:]] if in_pieces else message)
                assert socket.recv(timeout=60) == message, (url, agreed, len(message))
                echoed += 1
            socket.ping().wait(60)
        compressed += sum(getattr(each, "compressed", 0) for each in factories)
    print(json.dumps([echoed, compressed]))


main(sys.argv[1:])
