"""The times in Pesapal's answers."""

from __future__ import annotations

from datetime import datetime


def seven_digits(moment: datetime) -> str:
    """`2021-08-26T12:29:30.5177702Z`: .NET's clock has ticks of 100 ns, so there are seven fractional digits."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + str(moment.microsecond % 9 + 1) + "Z"


def milliseconds(moment: datetime) -> str:
    """`2022-04-30T07:41:09.763`, without a zone."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
