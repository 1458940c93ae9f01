"""Makes urllib3 obey deadlines, in the whole process; its import is enough."""

from __future__ import annotations

from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from workers.deadlines import current


class _Plain(HTTPConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        if deadline := current():
            deadline.watch(self)
        super().request(*arguments, **options)


class _Tls(HTTPSConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        if deadline := current():
            deadline.watch(self)
        super().request(*arguments, **options)


# PyGithub makes its sessions itself; urllib3's own seam for another connection class is this attribute. Calls outside
# of `within` are not affected.
HTTPConnectionPool.ConnectionCls = _Plain
HTTPSConnectionPool.ConnectionCls = _Tls
