"""Concierge as `manage.py serve` runs one process of it: `python -m tests.bench.served --port=N`."""

import argparse
import socket

import django


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    django.setup()
    from project.server import serve

    serve(socket.create_server(("127.0.0.1", port)))


if __name__ == "__main__":
    main()
