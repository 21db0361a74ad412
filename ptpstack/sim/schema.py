"""Every table and key of a scenario file: type, range, default, unit and one line of meaning.

Validation, suggestions for misspelt names and docs/simulator.md read this table.
"""

from __future__ import annotations

from dataclasses import fields

from ptpstack.clocks.oscillator import PRESETS
from ptpstack.config.schema import BOOLEAN, CHOICE, INTEGER, NAMES, NUMBER, PORT, TEXT, Field, Table
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.delays import NOISE_KINDS
from ptpstack.sim.figures import FIGURES, OVER
from ptpstack.sim.scenario import DIRECTIONS, EVENT_KEYS, ROLES

_KINDS = {"str": TEXT, "int": INTEGER, "float": NUMBER, "bool": BOOLEAN}

SERVO = Table(
    "servo",
    "Settings of the servos; `type` is left out where the command line chooses. Keys are those of `ServoOptions`.",
    tuple(
        Field(f.name, _KINDS[str(f.type)], "See `ServoOptions`.", absent="the servo's own")
        for f in fields(ServoOptions)
        if str(f.type) in _KINDS
    ),
)

_RATES = (
    Field("log_sync_interval", INTEGER, "Time between Syncs.", low=-7, high=7, unit="log2 s", absent="0"),
    Field("log_delay_req_interval", INTEGER, "Mean time between Delay_Reqs.", low=-7, high=7, unit="log2 s", absent="0"),
    Field("log_announce_interval", INTEGER, "Time between Announces.", low=-4, high=4, unit="log2 s", absent="1"),
    Field("announce_receipt_timeout", INTEGER, "Announce intervals of silence until a master is given up.", low=2, high=255, absent="3"),
)  # fmt: skip

READINGS = Table(
    "readings",
    "The node's clock is compared with perfect time and follows it (a PHC-to-clock edge, a pulse per second).",
    (
        Field("log_interval", INTEGER, "Time between bursts.", 0, -7, 7, "log2 s"),
        Field("count", INTEGER, "Readings in a burst.", 1, 1, 100),
        Field("noise_ns", NUMBER, "Standard deviation of each reading.", 0.0, 0, 1e9, "ns"),
        Field("window_ns", NUMBER, "What a reading takes at least; half of the shortest is the bound.", 0.0, 0, 1e9, "ns"),
        Field("window_jitter_ns", NUMBER, "What it may take more (uniform).", 0.0, 0, 1e9, "ns"),
        Field("pick", CHOICE, "What a burst gives: its mean, or the reading of the shortest window.", "mean", choices=("mean", "best")),
    ),
)  # fmt: skip

NODE = Table(
    "node",
    "A node with one clock.",
    (
        Field("name", TEXT, "Its name.", required=True),
        Field("role", CHOICE, "`clock` takes no part in PTP: it has only readings.", required=True, choices=ROLES),
        Field("start_s", NUMBER, "When its program starts.", 0.0, 0, 1e7, "s"),
        Field("oscillator", CHOICE, "A typical oscillator; the keys below replace single values of it.", "perfect", choices=tuple(PRESETS)),
        Field("frequency_ppb", NUMBER, "Frequency error at the start.", low=-1e6, high=1e6, unit="ppb", absent="the oscillator's"),
        Field("wander_ppb", NUMBER, "Random-walk FM: sigma of the step taken each second.", low=0, high=1e6, unit="ppb", absent="the oscillator's"),
        Field("white_fm_ppb", NUMBER, "White FM: sigma of each second's own error.", low=0, high=1e6, unit="ppb", absent="the oscillator's"),
        Field("ageing_ppb_per_day", NUMBER, "Linear change of the frequency.", low=-1e6, high=1e6, unit="ppb/day", absent="the oscillator's"),
        Field("temperature_ppb", NUMBER, "Amplitude of a sinusoidal swing.", low=0, high=1e6, unit="ppb", absent="the oscillator's"),
        Field("temperature_period_s", NUMBER, "Its period.", low=1, high=1e9, unit="s", absent="the oscillator's"),
        Field("temperature_phase_rad", NUMBER, "Its phase.", low=-10, high=10, unit="rad", absent="0"),
        Field("temperature_sensor", BOOLEAN, "A sensor shows it: 5 degrees about 25.", False),
        Field("initial_error_ns", NUMBER, "Distance from perfect time at the start of the world.", 0.0, -1e18, 1e18, "ns"),
        Field("grain_ns", INTEGER, "Resolution of time stamps; 0 is none.", 1, 0, 10**9, "ns"),
        Field("stamp_noise_ns", NUMBER, "Normal noise of time stamps, sigma.", 0.0, 0, 1e9, "ns"),
        Field("max_adjustment_ppb", NUMBER, "Largest frequency correction its clock takes.", 1e6, 1, 9e8, "ppb"),
        Field("priority1", INTEGER, "defaultDS.priority1.", 128, 0, 255),
        Field("priority2", INTEGER, "defaultDS.priority2.", 128, 0, 255),
        Field("clock_accuracy", INTEGER, "clockAccuracy that a grandmaster announces.", 0x21, 0x17, 0xFE),
        *_RATES,
    ),
    (READINGS, SERVO),
    array=True,
)  # fmt: skip

NOISE = Table(
    "noise",
    "A random part of the delay; several add up.",
    (
        Field("kind", CHOICE, "What it is like.", required=True, choices=NOISE_KINDS),
        Field("mean_ns", NUMBER, "exponential, gamma: mean. bimodal: the detour. queueing: time to serve a frame.", 0.0, 0, 1e12, "ns"),
        Field("sigma_ns", NUMBER, "gaussian: sigma.", 0.0, 0, 1e12, "ns"),
        Field("share", NUMBER, "bimodal: how many frames take the longer way.", 0.0, 0, 1),
        Field("shape", NUMBER, "gamma: queues in a row.", 1.0, 0.01, 1000),
        Field("hops", INTEGER, "queueing: switches on the way.", 1, 1, 64),
        Field("load", NUMBER, "queueing: share of the time that a switch's port is busy.", 0.0, 0, 0.99),
        Field("load_swing", NUMBER, "queueing: sinusoidal swing of the load.", 0.0, 0, 0.99),
        Field("period_s", NUMBER, "queueing: period of that swing.", 86_400.0, 1, 1e9, "s"),
    ),
    array=True,
)  # fmt: skip

SPELLS = Table(
    "spells",
    "Now and then all noise of a direction is larger for a while; each direction has its own spells.",
    (
        Field("every_s", NUMBER, "Mean quiet time between two (exponential).", 100.0, 0.1, 1e9, "s"),
        Field("last_s", NUMBER, "How long one lasts.", 20.0, 0.1, 1e9, "s"),
        Field("factor", NUMBER, "Noise times this in a spell.", 1.0, 0, 1e9),
    ),
)

_PATH_FIELDS = (
    Field("base_ns", NUMBER, "Delay without noise.", low=0, high=1e12, unit="ns", absent="1000"),
    Field("loss", NUMBER, "Share of frames lost.", low=0, high=1, absent="0"),
    Field("late_share", NUMBER, "Share of frames that come late.", low=0, high=1, absent="0"),
    Field("late_ns", NUMBER, "How much later.", low=0, high=1e12, unit="ns", absent="0"),
)

LINK = Table(
    "link",
    "Two nodes with a wire between them, or more on one segment. Every ordered pair has its own random delays.",
    (
        Field("name", TEXT, "Name that events refer to.", absent="its nodes with a hyphen between"),
        Field("nodes", NAMES, "Who is on it; `forward` is from the first to the others.", required=True),
        *_PATH_FIELDS,
    ),
    (
        NOISE,
        SPELLS,
        Table("forward", "What is otherwise in this direction.", _PATH_FIELDS, (NOISE, SPELLS)),
        Table("reverse", "What is otherwise in this direction.", _PATH_FIELDS, (NOISE, SPELLS)),
    ),
    array=True,
)

EVENT = Table(
    "event",
    "Something that happens while the scenario runs.",
    (
        Field("at_s", NUMBER, "When.", required=True, low=0, high=1e9, unit="s"),
        Field("kind", CHOICE, "What: " + "; ".join(f"`{k}` ({', '.join(v)})" for k, v in EVENT_KEYS.items()) + ".", required=True, choices=tuple(EVENT_KEYS)),
        Field("node", TEXT, "To whom."),
        Field("link", TEXT, "On which link."),
        Field("direction", CHOICE, "In which direction of the link.", "both", choices=DIRECTIONS),
        Field("for_s", NUMBER, "Undone after this time; 0: it stays.", 0.0, 0, 1e9, "s"),
        Field("every_s", NUMBER, "Happens again and again; 0: once.", 0.0, 0, 1e9, "s"),
        Field("change_ns", NUMBER, "path: added to the base delay.", low=-1e12, high=1e12, unit="ns"),
        Field("factor", NUMBER, "noise: times this.", low=0, high=1e9),
        Field("share", NUMBER, "loss: share of frames lost.", low=0, high=1),
        Field("wander_ppb", NUMBER, "wander: random walk from now on.", low=0, high=1e6, unit="ppb"),
        Field("jump_ppb", NUMBER, "jump: added to the frequency.", low=-1e6, high=1e6, unit="ppb"),
        Field("step_ns", NUMBER, "step: somebody else steps the clock.", low=-1e18, high=1e18, unit="ns"),
    ),
    array=True,
)  # fmt: skip

HOLDOVER = Table(
    "holdover",
    "The stretch without a master that is judged as holdover.",
    (
        Field("from_s", NUMBER, "Loss of the last master.", low=0, high=1e9, unit="s"),
        Field("to_s", NUMBER, "Its return, or the end.", low=0, high=1e9, unit="s"),
        Field("limit_ns", NUMBER, "The error whose time is forecast; 0: no forecast.", 0.0, 0, 1e12, "ns"),
    ),
)

EXPECT = Table(
    "expect",
    "A limit for a figure: `must` fails the run, `goal` is only shown.",
    (
        Field("figure", CHOICE, "Which figure.", required=True, choices=tuple(FIGURES)),
        Field("must", NUMBER, "At most (at least for shares that should be large)."),
        Field("goal", NUMBER, "The same, as a wish."),
        Field("near", NUMBER, "The limits are for the distance from this value."),
        Field("over", CHOICE, "How the seeds are put together.", absent="the figure's own way", choices=OVER),
    ),
    array=True,
)

PUBLISHED = Table(
    "published",
    "What another program reached here: shown as a column of its own.",
    (
        Field("name", TEXT, "Which program.", required=True),
        Field("source", TEXT, "Where the figures are from.", required=True),
        Field("reproduced_by", TEXT, "The servo type of ours that has to give the same figures."),
        *(Field(name, NUMBER, figure.doc) for name, figure in FIGURES.items()),
    ),
    array=True,
)

SCENARIO = Table(
    "",
    "A scenario file.",
    (
        Field("name", TEXT, "Name in tables.", required=True),
        Field("title", TEXT, "A line for people.", required=True),
        Field("measured", TEXT, "The node whose clock is judged.", absent="the last node"),
        Field("length_s", NUMBER, "Simulated time.", 4000.0, 1, 1e8, "s"),
        Field("stats_from_s", NUMBER, "Figures are taken from here to the end.", low=0, high=1e8, unit="s", absent="a quarter of the length"),
        Field("sample_every_s", NUMBER, "Time between two looks at the true error.", 1.0, 0.01, 3600, "s"),
        Field("sample_phase_s", NUMBER, "Looks are this long after a whole multiple of it.", 0.0, 0, 3600, "s"),
        *_RATES,
        Field("delay_mechanism", CHOICE, "portDS.delayMechanism.", "E2E", choices=PORT.field("delay_mechanism").choices),
        Field("gptp", BOOLEAN, "IEEE 802.1AS: time-aware end stations, and relays in the place of boundary clocks. Delay mechanism and sdoId are what it needs.", False),
        Field("one_step", BOOLEAN, "Every NIC puts the time into Sync and Pdelay_Resp as they leave.", False),
        Field("unicast", BOOLEAN, "No multicast: ordinary nodes ask the grandmasters and boundary clocks on their links for service (16.1), boundary clocks the grandmasters.", False),
        Field("profile", TEXT, "Intervals, domain and sdoId of a profile, where they are not given.", absent="none"),
        Field("domain", INTEGER, "domainNumber.", low=0, high=255, absent="0"),
        Field("sdo_id", INTEGER, "sdoId.", low=0, high=0xFFF, absent="0"),
        Field("lock_limit_ns", NUMBER, "Locked: the true error stays below this for a minute.", 1000.0, 0.001, 1e12, "ns"),
    ),
    (SERVO, NODE, LINK, EVENT, HOLDOVER, EXPECT, PUBLISHED),
)  # fmt: skip
