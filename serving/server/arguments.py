"""The command line of the server, read without anything heavy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from serving.server.errors import SettingsError
from serving.server.settings import EngineSettings, LogSettings, ServerSettings, Tls

TOKEN_VARIABLE = "WAYBILL_SERVING_TOKEN"
_DEFAULT = EngineSettings()
_DESCRIPTION = """\
Serves pushed models over TF Serving's REST and gRPC API, with a page to try them at /.

It reads models.config, or without one serves the newest version of every model, and follows what
is pushed, promoted and rolled back without dropping a request."""


def make_parser() -> argparse.ArgumentParser:
    """The command line of `python -m serving.server`."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"A bearer token is read from {TOKEN_VARIABLE}, or from --token-file.",
    )
    what = parser.add_argument_group("what is served")
    what.add_argument(
        "--serving",
        type=Path,
        default=_DEFAULT.serving,
        metavar="DIR",
        help=f"where models are pushed ({_DEFAULT.serving})",
    )
    what.add_argument("--config", type=Path, metavar="FILE", help="DIR/models.config")
    what.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="serve this model folder, and only what is named so; may be repeated",
    )
    what.add_argument(
        "--poll",
        type=_not_negative,
        default=_DEFAULT.poll_s,
        metavar="S",
        help=f"look for new versions every S seconds; 0 never ({_DEFAULT.poll_s:g})",
    )
    what.add_argument(
        "--default-label",
        metavar="LABEL",
        help="requests that name no version go to this label (to the newest version)",
    )
    what.add_argument(
        "--canary",
        action="append",
        default=[],
        metavar="MODEL=LABEL:PERCENT",
        help="but this share of them to that label; the others then to 'stable'",
    )
    _add_where(parser.add_argument_group("where"))
    _add_limits(parser.add_argument_group("how much"))
    _add_log(parser.add_argument_group("log of requests"))
    return parser


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default="127.0.0.1", help="address to bind to (127.0.0.1)")
    group.add_argument("--rest-port", type=_port, default=8501, metavar="PORT", help="(8501)")
    group.add_argument(
        "--grpc-port", type=_port, default=8500, metavar="PORT", help="(8500); -1: no gRPC"
    )
    group.add_argument("--token-file", type=Path, metavar="FILE", help="ask clients for its token")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="encrypt; PEM")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key; PEM")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--max-batch-rows",
        type=_positive,
        default=_DEFAULT.max_batch_rows,
        metavar="N",
        help=f"of requests that are asked together ({_DEFAULT.max_batch_rows}); 1: none are",
    )
    group.add_argument(
        "--batch-wait-ms",
        type=_not_negative,
        default=0.0,
        metavar="MS",
        help="how long a request may wait for others while a worker is free (0)",
    )
    group.add_argument(
        "--workers",
        type=_positive,
        default=_DEFAULT.num_workers,
        metavar="N",
        help=f"calls of models at once ({_DEFAULT.num_workers})",
    )
    group.add_argument(
        "--threads",
        type=_threads,
        default=0,
        metavar="N",
        help="of each of TensorFlow's pools; 0: one for each core (0)",
    )
    group.add_argument(
        "--max-in-flight",
        type=_positive,
        default=_DEFAULT.max_in_flight,
        metavar="N",
        help=f"requests under way; more are turned away ({_DEFAULT.max_in_flight})",
    )
    group.add_argument(
        "--max-body-mb",
        type=_positive,
        default=_DEFAULT.max_body_bytes >> 20,
        metavar="MB",
        help=f"of a request ({_DEFAULT.max_body_bytes >> 20})",
    )
    group.add_argument(
        "--deadline",
        type=_above_zero,
        default=_DEFAULT.deadline_s,
        metavar="S",
        help=f"for a request ({_DEFAULT.deadline_s:g})",
    )
    group.add_argument(
        "--stop-within",
        type=_above_zero,
        default=30.0,
        metavar="S",
        help="how long requests may go on after SIGTERM (30)",
    )


def _add_log(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--log", type=Path, metavar="DIR", help="write requests there, as validation.serving_log"
    )
    group.add_argument(
        "--log-sample", type=_share, default=1.0, metavar="SHARE", help="of them, 0 to 1 (1)"
    )
    group.add_argument(
        "--log-redact", type=_names, default=(), metavar="COLUMN,…", help="leave these out"
    )
    group.add_argument(
        "--log-max-mb", type=_positive, default=64, metavar="MB", help="of a file (64)"
    )
    group.add_argument(
        "--log-files", type=_positive, default=8, metavar="N", help="that are kept (8)"
    )


def parse(argv: Sequence[str] | None = None) -> ServerSettings:
    """The settings that the command line gives; a mistake in it ends the process with 2.

    Raises:
        SettingsError: the token or a pair of flags is wrong.
    """
    args = make_parser().parse_args(argv)
    if (args.tls_cert is None) != (args.tls_key is None):
        raise SettingsError("--tls-cert and --tls-key go together: name both, or neither.")
    engine = EngineSettings(
        serving=args.serving,
        config=args.config,
        models=tuple(args.model),
        poll_s=args.poll,
        canaries=_canaries(args.canary),
        default_label=args.default_label,
        max_batch_rows=args.max_batch_rows,
        batch_wait_s=args.batch_wait_ms / 1000,
        num_workers=args.workers,
        num_threads=args.threads,
        max_in_flight=args.max_in_flight,
        deadline_s=args.deadline,
        max_body_bytes=args.max_body_mb << 20,
        log=LogSettings(
            folder=args.log,
            sample=args.log_sample,
            redact=args.log_redact,
            max_bytes=args.log_max_mb << 20,
            num_files=args.log_files,
        ),
    )
    return ServerSettings(
        engine=engine,
        host=args.host,
        rest_port=max(args.rest_port, 0),
        grpc_port=args.grpc_port,
        token=_token(args.token_file),
        tls=Tls(certificate=args.tls_cert, key=args.tls_key) if args.tls_cert else None,
        stop_s=args.stop_within,
    )


def _canaries(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        model, _, share = text.partition("=")
        if not model or not share or model in found:
            raise SettingsError(
                f"--canary {text!r} is not of the form MODEL=LABEL:PERCENT, once for a model."
            )
        found[model] = share
    return found


def _token(path: Path | None) -> str | None:
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE)
        where = TOKEN_VARIABLE
    else:
        where = str(path)
        try:
            token = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--token-file {path} cannot be read: {error}.") from error
    if token is None:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{where} holds no token: expected printable ASCII characters without spaces."
        )
    return token


def _number(text: str, low: float, high: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _not_negative(text: str) -> float:
    return _number(text, 0, 1e9, "a number of at least 0")


def _above_zero(text: str) -> float:
    return _number(text, 1e-3, 1e6, "a number above 0")


def _share(text: str) -> float:
    return _number(text, 0, 1, "a number from 0 to 1")


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _threads(text: str) -> int:
    if not text.isdecimal() or int(text) > 127:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 127")
    return int(text)


def _port(text: str) -> int:
    if text != "-1" and not (text.isdecimal() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
