from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline.lineage.connection import PASSWORD, PASSWORD_FILE, Address, parse, password


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x/metadata.db", Address(kind="sqlite", path=Path("x/metadata.db"))),
        ("sqlite:///x/metadata.db", Address(kind="sqlite", path=Path("/x/metadata.db"))),
        (
            "mysql://me@db.example/store",
            Address(kind="mysql", host="db.example", port=3306, user="me", database="store"),
        ),
        (
            "mariadb://me@db:3307/store?socket=/run/s",
            Address(
                kind="mysql", host="db", port=3307, user="me", database="store", socket="/run/s"
            ),
        ),
        (
            "postgres://m%40x@db/store",
            Address(kind="postgresql", host="db", port=5432, user="m@x", database="store"),
        ),
        ("grpc://ml:9090", Address(kind="grpc", host="ml", port=9090)),
        ("grpc://[::1]", Address(kind="grpc", host="::1", port=8080)),
    ],
)
def test_an_address_says_what_it_means(text: str, expected: Address) -> None:
    assert parse(text) == expected


def test_a_folder_means_the_store_in_it(tmp_path: Path) -> None:
    assert parse(str(tmp_path)).path == tmp_path / "metadata.db"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysq://h/d", "Did you mean 'mysql'"),
        ("mysql://h", "names no database"),
        ("postgresql:///d", "names no host"),
        ("mysql://h:port/d", "cannot be read"),
        ("grpc://h?tls=1", "'tls' is no option"),
    ],
)
def test_a_wrong_address_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "text",
    ["mysql://me:s3cret@h/d", "postgresql://me:s3cret@h/d", "mysql://h/d?password=s3cret"],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match=PASSWORD) as caught:
        parse(text)
    assert "s3cret" not in str(caught.value)


def test_the_password_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from file\n")
    assert password({}) == ""
    assert password({PASSWORD_FILE: str(secret)}) == "from file"
    assert password({PASSWORD: "direct", PASSWORD_FILE: str(secret)}) == "direct"
    with pytest.raises(ConfigError, match=f"{PASSWORD_FILE}=.*none: cannot be read"):
        password({PASSWORD_FILE: str(tmp_path / "none")})
