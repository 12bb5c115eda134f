"""A population of telecom customers that never existed.

Each customer has a few hidden traits (how much they call, use data, how long they stay, how old their handset is); every
column is a trait's image plus chance. `Draw.matched` then bends a column so that its mean and standard deviation are those
of the original set (numscale.json), without changing the order of its values. Sums that hold in the original hold here.

The same seed gives the same customers everywhere: only uniform and normal numbers are drawn, and all is rounded at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Table = dict[str, NDArray[np.float64] | NDArray[np.int64] | NDArray[np.str_]]

STATS = Path(__file__).parents[1] / "solutions" / "port-experiment" / "experiment" / "numscale.json"
DAYS_PER_MONTH = 30.4


class Draw:
    """Chance, and the statistics to match on the first ``reference`` rows; ``drift`` is 1 for the last ``drifted``."""

    def __init__(self, seed: int, rows: int, reference: int, drifted: int) -> None:
        self.rows = rows
        self.drift = (np.arange(rows) >= rows - drifted).astype(np.float64)
        self._chance = np.random.Generator(np.random.PCG64(seed))
        self._reference = slice(0, reference)
        self._targets: dict[str, dict[str, float]] = json.loads(STATS.read_text())

    def normal(self) -> Array:
        """Standard normal numbers, cut at 3.5 so that no single customer decides a column's deviation."""
        return np.clip(self._chance.standard_normal(self.rows), -3.5, 3.5)

    def uniform(self) -> Array:
        return self._chance.random(self.rows)

    def some(self, share: float | Array) -> NDArray[np.bool_]:
        """True for about ``share`` of the customers."""
        return self.uniform() < share

    def choice(self, weights: dict[str, float]) -> NDArray[np.str_]:
        """One of the keys of ``weights`` for each customer."""
        return np.array(list(weights))[_steps(self.uniform(), list(weights.values()))]

    def matched(self, name: str, raw: Array, *, digits: int = 2) -> Array:
        """``raw`` (not negative) as a * raw ** b, with the mean and the deviation that column ``name`` has to have."""
        target = self._targets[name]
        return np.round(self.shaped(raw, target["mean"], target["std"]), digits)

    def shaped(self, raw: Array, mean: float, std: float) -> Array:
        """a * raw ** b with mean ``mean`` and deviation ``std``: the deviation relative to the mean grows with b."""
        low, high = 0.05, 8.0
        scaled = raw / raw[self._reference].max()
        for _ in range(50):
            power = (low + high) / 2
            bent = scaled[self._reference] ** power
            low, high = (power, high) if bent.std() / bent.mean() < std / mean else (low, power)
        bent = scaled**power
        return bent * (mean / bent[self._reference].mean())

    def centred(self, name: str, raw: Array, floor: Array) -> Array:
        """``raw`` shifted and scaled to the mean and deviation of column ``name`` while staying above ``floor``."""
        target = self._targets[name]
        shift, scale = target["mean"], target["std"] / raw[self._reference].std()
        for _ in range(60):
            column = np.maximum(shift + scale * raw, floor)
            scale *= target["std"] / column[self._reference].std()
            shift += target["mean"] - column[self._reference].mean()
        return np.round(np.maximum(shift + scale * raw, floor), 2)


def population(seed: int, rows: int, reference: int, drifted: int) -> Table:
    """``rows`` customers by column. The first ``reference`` have the original's statistics; the last ``drifted`` differ a
    little: older handsets, fewer calls, and other reasons to leave.
    """
    draw = Draw(seed, rows, reference, drifted)
    table: Table = {}
    usage = draw.normal() - 0.05 * draw.drift
    _tenure_and_handset(draw, table)
    _voice(draw, table, usage)
    _data(draw, table)
    _calls(table)
    _money(draw, table, usage)
    _history(draw, table)
    _household(draw, table)
    leaves = 1 / (1 + np.exp(-log_odds(table, draw.drift)))
    table["churn"] = draw.some(leaves).astype(np.int64)
    return table


def log_odds(table: Table, drift: Array | float) -> Array:
    """The log-odds of leaving: higher with an old or cheap handset, few months, and fewer calls than before.

    With drift, customers who stayed long no longer leave less, and the handset's age counts for less.
    """
    change = np.tanh(_floats(table, "change_mou") / 150)
    odds = (
        -0.02
        + (0.60 - 0.4 * drift) * _standard(_floats(table, "eqpdays"))
        - (0.45 - 0.75 * drift) * _standard(_floats(table, "months"))
        - 0.60 * change
        - 0.30 * _standard(_floats(table, "hnd_price"))
        + 0.25 * (table["refurb_new"] == "R")
        + 0.15 * (table["hnd_webcap"] == "WC")
        - 0.10 * (table["creditcd"] == "Y")
        - 0.10 * _standard(np.log1p(_floats(table, "totmrc_Mean")))
    )
    return np.asarray(odds, dtype=np.float64)


def _tenure_and_handset(draw: Draw, table: Table) -> None:
    tenure = draw.shaped(np.exp(0.8 * draw.normal()), 14.5, 11.6)
    table["months"] = months = np.clip(np.round(6 + tenure), 6, 61).astype(np.int64)
    # Half of the customers still have the handset they began with; the others changed it some time since.
    kept = np.where(draw.some(0.5), 1 - 0.1 * draw.uniform(), draw.uniform())
    age = draw.matched("eqpdays", 20 + months * DAYS_PER_MONTH * kept * np.exp(0.1 * draw.drift), digits=0)
    table["eqpdays"] = age.astype(np.int64)

    # New handsets cost more: the price's rank follows the handset's age.
    rank = _ranks(0.8 * draw.normal() - 0.6 * _standard(age) + 0.1 * draw.drift)
    prices, weights = zip(*HANDSET_PRICES.items(), strict=True)
    table["hnd_price"] = np.array(prices)[_steps(rank, weights)]
    table["hnd_webcap"] = np.where(
        draw.some(0.03), "UNKW", np.where(draw.some(np.clip(0.1 + age / 2500, 0, 0.9)), "WC", "WCMB")
    )
    table["refurb_new"] = np.where(draw.some(np.clip(0.05 + 0.1 * (1 - rank) * 2, 0, 1)), "R", "N")
    table["dualband"] = draw.choice({"Y": 0.723, "N": 0.230, "T": 0.047})
    table["new_cell"] = draw.choice({"U": 0.669, "Y": 0.193, "N": 0.138})

    history = 0.7 * _standard(months.astype(np.float64)) + 0.7 * draw.normal()
    table["phones"] = phones = 1 + _steps(_ranks(history), PHONES)
    table["models"] = np.minimum(1 + _steps(_ranks(history + 0.2 * draw.normal()), MODELS), phones)
    people = draw.normal()
    table["uniqsubs"] = people_known = 1 + _steps(_ranks(people), SUBSCRIBERS)
    table["actvsubs"] = np.minimum(1 + _steps(_ranks(people + 0.3 * draw.normal()), ACTIVE_SUBSCRIBERS), people_known)


def _voice(draw: Draw, table: Table, usage: Array) -> None:
    def column(name: str, slope: float, noise: float, zeros: float = 0.0, extra: Array | float = 0.0) -> Array:
        raw = np.exp(slope * usage + noise * draw.normal() + extra) * ~draw.some(zeros)
        table[name] = values = draw.matched(name, raw)
        return values

    column("mou_Mean", 1.0, 0.25, 0.01)
    column("comp_vce_Mean", 0.95, 0.35, 0.015)
    column("unan_vce_Mean", 0.85, 0.65, 0.03)
    column("recv_vce_Mean", 1.0, 0.7, 0.08)
    network = draw.normal()  # how bad the reception is at the customer's home
    column("drop_vce_Mean", 0.8, 0.6, 0.08, 0.35 * network)
    column("blck_vce_Mean", 0.6, 0.8, 0.3, 0.4 * network)
    column("inonemin_Mean", 1.0, 0.7, 0.08)
    column("threeway_Mean", 0.6, 0.7, 0.65)
    column("callwait_Mean", 0.9, 0.8, 0.4)
    column("callfwdv_Mean", 0.2, 0.5, 0.9975)
    column("owylis_vce_Mean", 0.85, 0.6, 0.05)
    table["mouowylisv_Mean"] = draw.matched("mouowylisv_Mean", _noisy(draw, table, "owylis_vce_Mean", 0.4))
    column("iwylis_vce_Mean", 0.85, 0.7, 0.15)
    table["mouiwylisv_Mean"] = draw.matched("mouiwylisv_Mean", _noisy(draw, table, "iwylis_vce_Mean", 0.5))
    column("custcare_Mean", 0.5, 0.9, 0.4)
    care = _noisy(draw, table, "custcare_Mean", 0.4)
    table["cc_mou_Mean"] = draw.matched("cc_mou_Mean", care)
    table["ccrndmou_Mean"] = draw.matched("ccrndmou_Mean", care)

    # Minutes called and received are minutes at peak and off peak; customers who talk much do so off peak.
    table["mou_cvce_Mean"] = called = draw.matched("mou_cvce_Mean", _noisy(draw, table, "comp_vce_Mean", 0.35))
    table["mou_rvce_Mean"] = received = draw.matched("mou_rvce_Mean", _noisy(draw, table, "recv_vce_Mean", 0.3))
    minutes = called + received
    peak_share = 1 / (1 + np.exp(-0.26 + 0.18 * np.log1p(minutes / 300) - 0.95 * draw.normal()))
    table["mou_peav_Mean"] = peak = np.round(minutes * peak_share, 2)
    table["mou_opkv_Mean"] = np.round(minutes - peak, 2)
    table["peak_vce_Mean"] = draw.matched("peak_vce_Mean", _noisy(draw, table, "mou_peav_Mean", 0.3))
    table["opk_vce_Mean"] = draw.matched("opk_vce_Mean", _noisy(draw, table, "mou_opkv_Mean", 0.3))
    # Calls placed are those completed, those not answered and some that failed.
    failed = draw.shaped(np.exp(0.8 * usage + 0.5 * draw.normal()), 8.02, 12)
    table["plcd_vce_Mean"] = np.round(_floats(table, "comp_vce_Mean") + _floats(table, "unan_vce_Mean") + failed, 2)


def _data(draw: Draw, table: Table) -> None:
    user = draw.some(0.1)
    level = np.clip(draw.normal(), -2.5, 2.5)

    def column(name: str, slope: float, noise: float, active: NDArray[np.bool_] = user) -> Array:
        raw = np.exp(slope * level + noise * np.clip(draw.normal(), -2.5, 2.5)) * active
        table[name] = values = draw.matched(name, raw)
        return values

    peak, off_peak = column("peak_dat_Mean", 1.4, 0.5), column("opk_dat_Mean", 1.4, 0.5)
    table["comp_dat_Mean"] = completed = np.round(peak + off_peak, 2)
    table["mou_cdat_Mean"] = np.round(column("mou_pead_Mean", 1.3, 0.6) + column("mou_opkd_Mean", 1.4, 0.7), 2)
    unanswered = column("unan_dat_Mean", 0.8, 0.6, user & draw.some(0.4))
    table["plcd_dat_Mean"] = np.round(completed + unanswered + draw.shaped(completed, 0.0724, 1.5), 2)  # the rest failed
    rare = 1.0
    column("drop_dat_Mean", rare, 0.5, user & draw.some(0.06))
    column("blck_dat_Mean", rare, 0.5, user & draw.some(0.04))
    column("recv_sms_Mean", rare, 0.6, draw.some(0.006))


def _calls(table: Table) -> None:
    """The columns that are sums of others in the original."""
    sums = {
        "attempt_Mean": ("plcd_vce_Mean", "plcd_dat_Mean"),
        "complete_Mean": ("comp_vce_Mean", "comp_dat_Mean"),
        "drop_blk_Mean": ("drop_vce_Mean", "drop_dat_Mean", "blck_vce_Mean", "blck_dat_Mean"),
    }
    for name, parts in sums.items():
        table[name] = np.round(sum(_floats(table, part) for part in parts), 2)


def _money(draw: Draw, table: Table, usage: Array) -> None:
    plan = np.exp(0.25 * usage + 0.4 * draw.normal())
    table["totmrc_Mean"] = monthly = draw.matched("totmrc_Mean", plan)
    over = np.exp(0.6 * usage + 0.9 * draw.normal()) * draw.some(0.55)
    table["ovrmou_Mean"] = draw.matched("ovrmou_Mean", over)
    table["vceovr_Mean"] = voice = draw.matched("vceovr_Mean", over * np.exp(0.2 * draw.normal()))
    data_user = _floats(table, "comp_dat_Mean") > 0
    data_over = np.exp(1.0 * np.clip(draw.normal(), -2.5, 2.5)) * (data_user & draw.some(0.3))
    table["datovr_Mean"] = data = draw.matched("datovr_Mean", data_over)
    table["ovrrev_Mean"] = overage = np.round(voice + data, 2)
    roaming = np.exp(1.3 * np.clip(draw.normal(), -2.5, 2.5)) * draw.some(0.2)
    table["roam_Mean"] = roam = draw.matched("roam_Mean", roaming)
    assistance = np.exp(0.4 * usage + 0.8 * draw.normal()) * draw.some(0.55)
    table["da_Mean"] = draw.matched("da_Mean", assistance)
    bill = (monthly + overage + 0.5 * roam) * np.exp(0.08 * draw.normal())
    table["rev_Mean"] = revenue = draw.matched("rev_Mean", bill)

    mood = draw.normal() - 0.1 * draw.drift  # calls more, or less, than in the months before
    minutes = _floats(table, "mou_Mean")
    table["change_mou"] = draw.centred("change_mou", (mood + 0.3 * draw.normal()) * (60 + minutes), -minutes)
    swing = (0.5 * mood + draw.normal()) * (4 + overage)
    table["change_rev"] = draw.centred("change_rev", swing, -revenue)


def _history(draw: Draw, table: Table) -> None:
    calls = np.round(_floats(table, "complete_Mean") + _floats(table, "recv_vce_Mean"), 2)
    months = _floats(table, "months")
    billed = np.maximum(1, months - np.where(draw.some(0.2), 8 * draw.uniform(), 0))
    recent = {"mou": _floats(table, "mou_Mean"), "qty": calls, "rev": _floats(table, "rev_Mean")}
    corrections = {"mou": ("totmou", 104.6, 300.0), "qty": ("totcalls", 42.3, 120.0), "rev": ("totrev", 72.3, 90.0)}
    for kind, recently in recent.items():
        last3 = (recently + 1) * np.exp(0.1 * draw.normal())
        last6 = last3**0.9 * np.exp(0.2 * draw.normal())
        always = last6**0.9 * np.exp(0.25 * draw.normal())
        table[f"avg3{kind}"] = draw.matched(f"avg3{kind}", last3, digits=0).astype(np.int64)
        table[f"avg6{kind}"] = draw.matched(f"avg6{kind}", last6, digits=0).astype(np.int64)
        table[f"avg{kind}"] = average = draw.matched(f"avg{kind}", always)
        adjusted = draw.matched(f"adj{kind}", average * billed, digits=0 if kind == "qty" else 2)
        total, mean, std = corrections[kind]
        correction = draw.shaped(adjusted**0.5 * np.exp(0.8 * draw.normal()), mean, std)
        if kind == "qty":
            table["adjqty"] = adjusted.astype(np.int64)
            table[total] = (adjusted + np.round(correction)).astype(np.int64)
        else:
            table[f"adj{kind}"] = adjusted
            table[total] = np.round(adjusted + correction, 2)


def _household(draw: Draw, table: Table) -> None:
    table["truck"] = truck = draw.some(0.19426).astype(np.int64)
    table["rv"] = draw.some(np.where(truck == 1, 0.375, 0.0159)).astype(np.int64)
    table["forgntvl"] = draw.some(0.05873).astype(np.int64)
    table["asl_flag"] = draw.choice({"N": 0.86, "Y": 0.14})
    table["creditcd"] = draw.choice({"Y": 0.69, "N": 0.31})
    table["area"] = draw.choice(AREAS)
    table["marital"] = draw.choice({"U": 0.375, "M": 0.31, "S": 0.18, "B": 0.075, "A": 0.06})
    table["ethnic"] = draw.choice(ETHNIC)
    for name, share in {"kid0_2": 0.04, "kid3_5": 0.05, "kid6_10": 0.08, "kid11_15": 0.09, "kid16_17": 0.1}.items():
        table[name] = np.where(draw.some(share), "Y", "U")


def _floats(table: Table, name: str) -> Array:
    return table[name].astype(np.float64)


def _noisy(draw: Draw, table: Table, name: str, noise: float) -> Array:
    return _floats(table, name) * np.exp(noise * draw.normal())


def _standard(values: Array) -> Array:
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float64)


def _ranks(values: Array) -> Array:
    """For each value the share of values below it."""
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = (np.arange(len(values)) + 0.5) / len(values)
    return ranks


def _steps(uniform: Array, weights: Sequence[float]) -> NDArray[np.int64]:
    """For each number in [0, 1) the index of the weight it falls on."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, uniform, side="right"), len(weights) - 1)


# Weights with the original's mean and deviation.
HANDSET_PRICES = {
    9.99: 0.0387, 29.99: 0.1703, 39.99: 0.0445, 59.99: 0.1155, 79.99: 0.1028, 99.99: 0.1412, 129.99: 0.1498,
    149.99: 0.1181, 199.99: 0.0953, 249.99: 0.0111, 299.99: 0.0097, 399.99: 0.0029, 499.99: 0.0003,
}  # fmt: skip
PHONES = (0.5814, 0.2091, 0.0983, 0.0551, 0.0215, 0.0153, 0.0093, 0.0041, 0.0028, 0.0018, 0.0009, 0.0004)
MODELS = (0.6295, 0.2207, 0.0947, 0.0395, 0.0104, 0.0036, 0.0017)
SUBSCRIBERS = (0.6317, 0.2491, 0.0797, 0.0266, 0.0088, 0.0028, 0.0012)
ACTIVE_SUBSCRIBERS = (0.7096, 0.2377, 0.0412, 0.0090, 0.0026)
AREAS = {
    "NEW YORK CITY AREA": 11.3, "DC/MARYLAND/VIRGINIA AREA": 7.2, "MIDWEST AREA": 7.1, "DALLAS AREA": 6.9,
    "ATLANTIC SOUTH AREA": 6.5, "CALIFORNIA NORTH AREA": 6.4, "LOS ANGELES AREA": 6.2, "CHICAGO AREA": 6.0,
    "NEW ENGLAND AREA": 5.9, "GREAT LAKES AREA": 5.1, "OHIO AREA": 4.9, "NORTHWEST/ROCKY MOUNTAIN AREA": 4.6,
    "SOUTHWEST AREA": 4.3, "CENTRAL/SOUTH TEXAS AREA": 4.1, "HOUSTON AREA": 4.0, "NORTH FLORIDA AREA": 3.6,
    "SOUTH FLORIDA AREA": 3.3, "TENNESSEE AREA": 3.2, "PHILADELPHIA AREA": 2.5,
}  # fmt: skip
ETHNIC = {
    "N": 33.4, "H": 13.9, "S": 13.3, "U": 12.4, "I": 9.2, "G": 5.0, "J": 3.0, "F": 2.4, "O": 2.0, "B": 1.5, "D": 1.2,
    "R": 0.9, "Z": 0.7, "P": 0.5, "M": 0.3, "X": 0.2, "C": 0.1,
}  # fmt: skip
