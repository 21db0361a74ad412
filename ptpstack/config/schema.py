"""Every table and key of a site file: type, range, default, unit and one line of meaning.

Validation, suggestions for misspelt names, the limits of profiles and ``docs/configuration.md`` all read this table.
A key whose ``profiled`` is true takes its default and its range from the profile; what stands here is then what
IEEE 1588-2019 or the socket interface allows at most, and the default where a profile is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: kinds that are checked by more than type and range; see validate.py
TEXT, INTEGER, NUMBER, BOOLEAN, CHOICE = "text", "integer", "number", "boolean", "choice"
ACCURACY, TIME_SOURCE, IDENTITY, INTERFACE = "accuracy", "time source", "clock identity", "interface"
NAMES = "names"
SOURCES = "sources"

#: Bounded everything: more than any machine has, few enough to check at once.
MAX_TABLES = 64

REFERENCE_STATES = ("locked", "holdover", "holdover-out-of-spec", "free-running")


@dataclass(frozen=True, slots=True)
class Field:
    """One key. ``default`` None with an ``absent`` text means: worked out when the key is not given."""

    name: str
    kind: str
    doc: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    absent: str = ""
    required: bool = False
    profiled: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table; ``array`` means ``[[name]]``."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    tables: tuple[Table, ...] = ()
    array: bool = False

    def field(self, name: str) -> Field:
        """The field called ``name``; KeyError when there is none."""
        for candidate in self.fields:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.fields) + tuple(t.name for t in self.tables)


NODE = Table(
    "node",
    "The process as a whole.",
    (
        Field("name", TEXT, "Name of this node in status, logs and traces.", "ptpstack"),
        Field("control", TEXT, "Path of the control socket (at most 107 octets).", "/run/ptpstack/control.sock"),
        Field("management", TEXT, "Path of the management socket, which `ptpstack pmc -s`, pmc and phc2sys speak to (at most 107 octets); who may open it may change this node. `off`: none.", absent="off"),
        Field("management_read_only", TEXT, "Path of its twin, by which everybody may ask and nobody may change; `off`: none.", absent="management with `-ro` at the end"),
        Field("io_loop", CHOICE, "How the node waits for input.", "auto", choices=("auto", "epoll", "poll", "select")),
        Field("log_level", CHOICE, "The least severe log line shown.", "info", choices=("debug", "info", "warning", "error")),
        Field("leap_file", TEXT, "NIST/IERS leap-seconds.list to read.", absent="the table built in"),
        Field("state_dir", TEXT, "Directory of the drift file, in which clocks keep what was learnt of them over a restart; `off`: none.", absent="systemd's StateDirectory, else the directory of the control socket"),
        Field("sa_file", TEXT, "File of security associations (keys) for ports with an spp, in linuxptp's format. See docs/security.md.", absent="no authentication"),
        Field("user", TEXT, "User to become once everything privileged is open.", absent="stay as started"),
        Field("record", TEXT, "Trace file to write every input to.", absent="no trace"),
        Field("seed", INTEGER, "Seed of all random choices.", low=0, high=2**63 - 1, absent="drawn at start, kept in the trace"),
        Field("scheduling_priority", INTEGER, "SCHED_FIFO priority; 0 is the normal scheduler.", 0, 0, 99),
    ),
)  # fmt: skip

CLOCK = Table(
    "clock",
    "A clock that instances read, and steer when they follow a master. One of type `auto` exists when none is declared.",
    (
        Field("name", TEXT, "Name that instances refer to.", "clock"),
        Field("type", CHOICE, "`auto`: the PHC of the port's interface when it stamps in hardware, else the system clock.", "auto", choices=("auto", "phc", "system", "simulated")),
        Field("device", TEXT, "PHC device, for type `phc`.", absent="the PHC of the port's interface"),
        Field("steer", BOOLEAN, "Whether ptpstack may step and steer it; otherwise it is measured only.", absent="true, but false for the system clock"),
        Field("temperature", TEXT, "File of a temperature sensor near its oscillator, in thousandths of a degree: `/sys/class/hwmon/hwmonN/temp1_input`, `/sys/class/thermal/thermal_zoneN/temp`. The servo learns what a degree does to the frequency, and holds over by it. Of a simulated clock: `model`.", absent="no sensor"),
        Field("on_foreign_change", CHOICE, "When another program changes it too: `keep` steering and say so, or `yield` when that goes on.", "keep", choices=("keep", "yield")),
        Field("oscillator", CHOICE, "Simulated: what the oscillator is like.", "tcxo", choices=("perfect", "tcxo", "ocxo", "rubidium", "cheap")),
        Field("frequency_ppb", NUMBER, "Simulated: frequency error at start.", low=-500_000, high=500_000, unit="ppb", absent="drawn for the oscillator"),
        Field("wander_ppb", NUMBER, "Simulated: random walk of frequency, per square root of second.", low=0, high=100_000, unit="ppb", absent="that of the oscillator"),
        Field("drift_ppb_per_day", NUMBER, "Simulated: ageing.", low=-1e6, high=1e6, unit="ppb/day", absent="that of the oscillator"),
        Field("initial_error_ns", NUMBER, "Simulated: distance from the truth at start.", 0.0, -1e18, 1e18, "ns"),
        Field("seed", INTEGER, "Simulated: seed of this clock's noise.", low=0, high=2**63 - 1, absent="made from the node's seed and the clock's name"),
        Field("grain_ns", NUMBER, "Simulated: resolution of readings and stamps; 0 is none.", 0.0, 0, 1e9, "ns"),
        Field("noise_ns", NUMBER, "Simulated: standard deviation of the reading noise.", 0.0, 0, 1e9, "ns"),
        Field("max_adjustment_ppb", NUMBER, "Simulated: largest frequency correction it takes.", 500_000.0, 1, 1e9, "ppb"),
    ),
    array=True,
)  # fmt: skip

UNICAST_SERVER = Table(
    "server",
    "A server that this port asks for unicast service (17.4). The best of those that grant it is followed.",
    (
        Field("address", TEXT, "IP address, or MAC address with transport l2, of its port.", required=True),
        Field("local_priority", INTEGER, "localPriority of its master, where the profile's BMCA has such a thing (itu-alternate, g8265.1): lower wins.", 128, 1, 255),
    ),
    array=True,
)  # fmt: skip

UNICAST = Table(
    "unicast",
    "Unicast discovery (17.4) and negotiation (16.1): off unless `serve` or a server is given. See docs/unicast.md.",
    (
        Field("serve", BOOLEAN, "Grant Announce, Sync and Delay_Resp to those who ask.", False),
        Field("multicast", BOOLEAN, "Send to the multicast group and listen to it, too.", absent="false with servers, else true"),
        Field("negotiation_required", BOOLEAN, "Answer unicast Delay_Req only to holders of a grant.", absent="true when serving without multicast, else false"),
        Field("unicast_delay_req", BOOLEAN, "Send Delay_Req to the address of a multicast master instead of the group (hybrid mode).", False),
        Field("max_clients", INTEGER, "Serving: clients at once.", 512, 1, 10_000),
        Field("max_clients_per_address", INTEGER, "Serving: port identities at one address.", 8, 1, 10_000),
        Field("max_rate", INTEGER, "Serving: messages of all grants together; a Sync and its Follow_Up are one.", 20_000, 1, 1_000_000, "1/s"),
        Field("log_min_announce_interval", INTEGER, "Serving: the shortest interval of Announce granted; who asks for a shorter one gets this.", -3, -7, 10, "log2 s", profiled=True),
        Field("log_min_sync_interval", INTEGER, "Serving: the same for Sync.", -7, -10, 10, "log2 s", profiled=True),
        Field("log_min_delay_resp_interval", INTEGER, "Serving: the same for Delay_Resp.", -7, -10, 10, "log2 s", profiled=True),
        Field("min_duration_s", INTEGER, "Serving: requests for less are refused.", 10, 1, 86_400, "s", profiled=True),
        Field("max_duration_s", INTEGER, "Serving: who asks for more gets this.", 1000, 1, 86_400, "s", profiled=True),
        Field("duration_s", INTEGER, "Asking: for how long service is asked; renewed at about three quarters.", 300, 1, 86_400, "s", profiled=True),
        Field("log_query_interval", INTEGER, "Asking: time between requests that are not answered, the first three times.", 0, -3, 10, "log2 s", profiled=True),
        Field("log_max_query_interval", INTEGER, "Asking: it is doubled from then on, up to this.", 4, -3, 10, "log2 s", profiled=True),
    ),
    (UNICAST_SERVER,),
)  # fmt: skip

GPTP = Table(
    "gptp",
    "What only a port of IEEE 802.1AS has. See docs/gptp.md.",
    (
        Field("delay_threshold_ns", NUMBER, "meanLinkDelayThresh: with a longer link the port is not asCapable.", 800.0, 0, 1e9, "ns"),
        Field("min_delay_ns", NUMBER, "With a measured delay below this the port is not asCapable.", -800.0, -1e9, 0, "ns"),
        Field("allowed_lost_responses", INTEGER, "allowedLostResponses: Pdelay_Req in a row without an answer that do not matter.", 9, 1, 255, profiled=True),
        Field("allowed_faults", INTEGER, "allowedFaults: delays beyond the threshold in a row that do not matter once the port is asCapable.", 9, 0, 255, profiled=True),
        Field("sync_receipt_timeout", INTEGER, "syncReceiptTimeout: Sync intervals of silence until a grandmaster is given up; 0: its Announce alone counts.", 3, 0, 255, "intervals", profiled=True),
        Field("sync_locked", BOOLEAN, "syncLocked: a relay sends Sync the moment one arrives, where the intervals agree.", True),
        Field("log_capable_interval", INTEGER, "Time between gPTP-capable messages (2020).", 0, -3, 4, "log2 s", profiled=True),
        Field("capable_receipt_timeout", INTEGER, "gPtpCapableReceiptTimeout: intervals of silence until the neighbour is not asCapable (2020).", 9, 1, 255, "intervals", profiled=True),
    ),
)  # fmt: skip

PORT = Table(
    "port",
    "A PTP port: this instance on one interface.",
    (
        Field("interface", INTERFACE, "Network interface.", required=True),
        Field("transport", CHOICE, "UDP over IPv4 (Annex C), UDP over IPv6 (Annex D) or Ethernet (Annex E).", "udp4", choices=("udp4", "udp6", "l2"), profiled=True),
        Field("clock", TEXT, "Name of the clock that stamps its frames. The clocks of one instance's ports follow the one whose port follows a master.", absent="the instance's, or the PHC of its interface when that is another one"),
        Field("stamping", CHOICE, "Who stamps frames; `auto` is hardware when NIC, driver and clock can.", "auto", choices=("auto", "hardware", "software")),
        Field("one_step", CHOICE, "Let the NIC put the time into Sync (and Pdelay_Resp) as it leaves, so that no Follow_Up is needed: `auto` where it can; `yes` refuses to start where it cannot.", "no", choices=("no", "auto", "yes")),
        Field("server_only", BOOLEAN, "portDS.masterOnly (8.2.15.5.2): never follows a master.", None, absent="false, but true for role grandmaster where the profile says so"),
        Field("local_priority", INTEGER, "portDS.localPriority (ITU-T G.8275.1) of the masters heard here: lower wins, after priority2. For the `itu-alternate` BMCA.", 128, 1, 255),
        Field("l2_group", CHOICE, "Ethernet only: the group that bridges forward (01-1B-19-00-00-00), or the one that they do not (01-80-C2-00-00-0E), for all messages. Both are always listened to.", choices=("forwardable", "non-forwardable"), absent="as the profile says"),
        Field("honour_interval_requests", BOOLEAN, "Do as a message interval request of a peer says (802.1AS-2020 10.6.4.3), within the profile's ranges. For links with one peer.", None, absent="as the profile says"),
        Field("operational_log_sync_interval", INTEGER, "As a client, once locked, ask the master for this logSyncInterval, and for its initial one when no longer locked.", low=-10, high=10, unit="log2 s", absent="never ask"),
        Field("operational_log_pdelay_req_interval", INTEGER, "As a client, once locked, measure the link so often; while not, as log_min_pdelay_req_interval says.", low=-7, high=5, unit="log2 s", absent="as before"),
        Field("monitor", NAMES, "Slave event monitoring (16.11): tell all of these by Signaling: `rx-sync-timing`, `tx-event-timestamps`.", None, absent="none"),
        Field("monitor_events", INTEGER, "Events that one monitoring message holds.", 1, 1, 30),
        Field("monitor_every", INTEGER, "Of every so many events one is told.", 1, 1, 255),
        Field("acceptable_masters_only", BOOLEAN, "acceptableMasterPortDS.enable (17.5): hear masters of the table [[instance.acceptable_master]] only.", None, absent="true when that table has entries"),
        Field("alternate_masters", INTEGER, "alternateMasterPortDS.numberOfAlternateMasters (17.3): while this port is PASSIVE it announces itself as an alternate master, as long as it hears fewer better ones than this; 0: never.", 0, 0, 16),
        Field("desired_state", CHOICE, "What this port is told to be, with external_port_configuration (17.6.3).", choices=("master", "slave", "passive"), absent="with external port configuration by role: master for a grandmaster, slave for an ordinary clock, needed for a boundary clock"),
        Field("listen_first", BOOLEAN, "Wait for the announce receipt timeout before serving; false: serve at once until a better master is heard.", None, absent="false for role grandmaster, server_only and desired_state master, else true"),
        Field("log_announce_interval", INTEGER, "portDS.logAnnounceInterval: time between Announce messages.", 1, -7, 10, "log2 s", profiled=True),
        Field("announce_receipt_timeout", INTEGER, "portDS.announceReceiptTimeout: Announce intervals of silence until a master is given up.", 3, 2, 255, "intervals", profiled=True),
        Field("log_sync_interval", INTEGER, "portDS.logSyncInterval: time between Sync messages.", 0, -10, 10, "log2 s", profiled=True),
        Field("log_min_delay_req_interval", INTEGER, "portDS.logMinDelayReqInterval: least mean time between Delay_Req messages of one client.", 0, -10, 10, "log2 s", profiled=True),
        Field("delay_mechanism", CHOICE, "portDS.delayMechanism: `E2E` measures the path to the master, `P2P` (peer delay) the link to a neighbour that does so too; `AUTO`: E2E until a neighbour asks for peer delay; `COMMON_P2P`: each link is measured once for all instances on it that say so.", "E2E", choices=("E2E", "P2P", "COMMON_P2P", "AUTO"), profiled=True),
        Field("log_min_pdelay_req_interval", INTEGER, "P2P: portDS.logMinPdelayReqInterval: time between Pdelay_Req messages.", 0, -7, 10, "log2 s", profiled=True),
        Field("several_peers", CHOICE, "P2P: when several ports answer one Pdelay_Req (11.4.4): `discard` what was measured, or `fault`: the port is FAULTY for 16 s.", "discard", choices=("discard", "fault")),
        Field("delay_asymmetry_ns", NUMBER, "delayAsymmetry (7.4.2): positive when the path from the master is the longer one.", 0.0, -1e9, 1e9, "ns"),
        Field("ingress_latency_ns", NUMBER, "Between the wire and the receive time stamp (16.7).", 0.0, -1e9, 1e9, "ns"),
        Field("egress_latency_ns", NUMBER, "Between the transmit time stamp and the wire (16.7).", 0.0, -1e9, 1e9, "ns"),
        Field("spp", INTEGER, "Security association, of the node's sa_file, that signs what this port sends and verifies what it receives (16.14).", low=0, high=255, absent="no authentication"),
        Field("active_key_id", INTEGER, "The key of that association that signs.", low=1, high=0xFFFFFFFF, absent="the last one of the association"),
        Field("allow_unauthenticated", CHOICE, "Frames without AUTHENTICATION are used: `no`; `until-first`: until one has been verified; `yes`. A wrong one never is.", "no", choices=("no", "until-first", "yes")),
        Field("allow_sources", SOURCES, "Only these are listened to: addresses, networks, MACs, clockIdentities.", absent="everybody"),
        Field("deny_sources", SOURCES, "These are not listened to, whatever allow_sources says.", absent="nobody"),
        Field("limit_delay_req", INTEGER, "Most Delay_Req and Pdelay_Req taken; 0: no limit. A limit costs the short cut by which a plain Delay_Req is answered.", 0, 0, 1_000_000, "1/s"),
        Field("limit_announce", INTEGER, "Most Announce taken of each sender that is known, and of all others together; 0: no limit.", 1000, 0, 1_000_000, "1/s"),
        Field("limit_signaling", INTEGER, "Most Signaling taken; 0: no limit.", 1000, 0, 1_000_000, "1/s"),
        Field("limit_management", INTEGER, "Most Management taken; 0: no limit.", 1000, 0, 1_000_000, "1/s"),
        Field("ttl", INTEGER, "Time to live of multicast, UDP only.", 1, 1, 255, "hops", profiled=True),
        Field("dscp_event", INTEGER, "DSCP of event messages, UDP only.", 0, 0, 63, profiled=True),
        Field("dscp_general", INTEGER, "DSCP of general messages, UDP only.", 0, 0, 63, profiled=True),
        Field("udp6_scope", INTEGER, "Scope of the IPv6 multicast group FF0x::181: 2 link, 5 site, 8 organisation, 14 global. All nodes of a domain need the same.", 14, 2, 14, profiled=True),
        Field("socket_priority", INTEGER, "SO_PRIORITY of frames sent; above 6 needs CAP_NET_ADMIN.", 0, 0, 15, profiled=True),
        Field("pcp", INTEGER, "Priority code point of the 802.1Q tag. On a VLAN interface a socket_priority that its egress map turns into it is used; elsewhere l2 frames get a tag of VLAN 0.", low=0, high=7, absent="what socket_priority is mapped to"),
    ),
    (UNICAST, GPTP),
    array=True,
)  # fmt: skip

REFERENCE = Table(
    "reference",
    "What the instance's clock is set by when no PTP master is: this speaks for the quality that a grandmaster announces.",
    (
        Field("type", CHOICE, "`declared`: something else keeps the clock right, and the state below is taken at its word. `system`: the system clock. `pps`: one pulse per second on an input of the clock. `simulated`: the truth plus noise.", "none", choices=("none", "declared", "system", "pps", "simulated")),
        Field("state", CHOICE, "State at start.", choices=REFERENCE_STATES, absent="`locked` when simulated or pps, else `free-running`"),
        Field("time_source", TIME_SOURCE, "timeSource (7.6.2.8): a name such as `gnss`, or a code.", absent="`internal-oscillator`"),
        Field("accuracy", ACCURACY, "What the announced time is worth while locked: a length of time such as `100 ns`, `unknown`, or a code. A bound of the servo that is worse is announced instead.", absent="`unknown`"),
        Field("holdover_spec_s", NUMBER, "How long holdover keeps within specification; 0: an hour, or, with holdover_limit_ns, as long as that says.", 0.0, 0, 1e9, "s"),
        Field("holdover_limit_ns", NUMBER, "Holdover is within specification only while the clock's bound is below this; 0: time alone counts.", 0.0, 0, 1e9, "ns"),
        Field("noise_ns", NUMBER, "Simulated: standard deviation of its readings.", 0.0, 0, 1e9, "ns"),
        Field("log_interval", INTEGER, "Time between readings.", 0, -7, 10, "log2 s"),
        Field("channel", INTEGER, "Pps: external time stamp channel of the clock.", 0, 0, 255),
        Field("pin", INTEGER, "Pps: programmable pin to give to that channel.", low=0, high=255, absent="no pin is set: it is wired, or set already"),
        Field("edge", CHOICE, "Pps: the edge of the pulse that marks the second.", "rising", choices=("rising", "falling")),
        Field("delay_ns", NUMBER, "Pps: how much later than the second the pulse arrives: cable and receiver.", 0.0, -1e8, 1e8, "ns"),
        Field("tod", TEXT, "Pps: name of the clock that tells which second a pulse is; it must be known within 0.4 s.", "system"),
        Field("tod_error_s", NUMBER, "Pps: how far that clock may be off, taken at your word; 0: what it says of itself.", 0.0, 0, 0.39, "s"),
    ),
)  # fmt: skip

SERVO = Table(
    "servo",
    "How the clock follows its master.",
    (
        Field("type", CHOICE, "Servo. `estimator` learns noise, oscillator and path; `pi` and `linreg` are the classics; `nullf` steps only, for a frequency that comes by SyncE.", "estimator", choices=("estimator", "pi", "linreg", "nullf")),
        Field("kp", NUMBER, "Of `pi`: proportional constant; 0: by Sync interval and kind of time stamps.", 0.0, 0, 10),
        Field("ki", NUMBER, "Of `pi`: integral constant; 0: by Sync interval and kind of time stamps.", 0.0, 0, 10),
        Field("kp_scale", NUMBER, "Of `pi`: kp is the least of kp_scale x T^kp_exponent and kp_norm_max / T, T the Sync interval in s.", low=0, high=10, absent="by kind of time stamps"),
        Field("kp_exponent", NUMBER, "Of `pi`: see kp_scale.", low=-10, high=10, absent="-0.3"),
        Field("kp_norm_max", NUMBER, "Of `pi`: see kp_scale.", low=0, high=1, absent="0.7"),
        Field("ki_scale", NUMBER, "Of `pi`: the same for ki.", low=0, high=10, absent="by kind of time stamps"),
        Field("ki_exponent", NUMBER, "Of `pi`: the same for ki.", low=-10, high=10, absent="0.4"),
        Field("ki_norm_max", NUMBER, "Of `pi`: the same for ki.", low=0, high=2, absent="0.3"),
        Field("first_step_threshold_ns", NUMBER, "The first correction steps the clock when the offset is larger; 0: never steps.", 20_000.0, 0, 1e18, "ns"),
        Field("step_threshold_ns", NUMBER, "Later offsets larger than this step the clock; 0: never.", 0.0, 0, 1e18, "ns"),
        Field("max_frequency_ppb", NUMBER, "Largest frequency correction; 0: what the clock can.", 0.0, 0, 1e9, "ppb"),
        Field("max_slew_ppb", NUMBER, "Of `estimator`: the fastest that an offset is slewed away.", 50_000.0, 1, 1e9, "ppb"),
        Field("delay_filter", CHOICE, "Of `pi`, `linreg` and `nullf`: filter of path delay.", "moving_median", choices=("moving_median", "moving_average")),
        Field("delay_filter_length", INTEGER, "Of `pi`, `linreg` and `nullf`: delay samples kept.", 10, 1, 10_000, "samples"),
        Field("lock_threshold_ns", NUMBER, "Offsets below this count as locked; 0: by kind of time stamps.", 0.0, 0, 1e9, "ns"),
        Field("time_stamping_noise", CHOICE, "Of `pi`: which constants the automatic ones are; `auto`: as the port stamps; `linuxptp-software`: those of linuxptp for software stamps.", "auto", choices=("auto", "hardware", "software", "linuxptp-software")),
    ),
)  # fmt: skip

ACCEPTABLE_MASTER = Table(
    "acceptable_master",
    "An entry of acceptableMasterTableDS (17.5): a master that may be followed. Without entries every master may.",
    (
        Field("clock_identity", IDENTITY, "Its clockIdentity.", required=True),
        Field("port_number", INTEGER, "One port of it.", 0xFFFF, 1, 0xFFFF, absent="any (65535)"),
        Field("alternate_priority1", INTEGER, "Taken for the priority1 that it announces; 0: what it announces.", 0, 0, 255),
        Field("local_priority", INTEGER, "localPriority of this master, for the `itu-alternate` and `g8265.1` variants; 0: the port's.", 0, 0, 255),
    ),
    array=True,
)  # fmt: skip

ALTERNATE_TIME = Table(
    "alternate_time_offset",
    "A local time that a grandmaster announces (16.3). Its next change is announced, too, as far as the zone knows it.",
    (
        Field("key", INTEGER, "keyField.", required=True, low=0, high=254),
        Field("name", TEXT, "displayName, at most 10 characters.", absent="the last part of the zone's name, or `local`"),
        Field("zone", TEXT, "IANA time zone, such as `Europe/Berlin`.", absent="a fixed utc_offset_s"),
        Field("utc_offset_s", INTEGER, "Fixed offset of the local time from UTC, instead of zone.", low=-86_400, high=86_400, unit="s", absent="that of the zone"),
    ),
    array=True,
)  # fmt: skip

MANAGEMENT = Table(
    "management",
    "How the instance answers management messages (clause 15). See docs/management.md.",
    (
        Field("network", BOOLEAN, "Answer those that come over the network.", True),
        Field("writers", NAMES, "Who may change things over the network: addresses such as `192.0.2.7` or `00:1b:21:aa:bb:cc`, networks such as `10.0.0.0/24`. Addresses can be forged: for networks without strangers.", absent="nobody"),
        Field("user_description", TEXT, "descriptionDS.userDescription: `name;location`.", absent="empty"),
    ),
)  # fmt: skip

SYNC_METADATA = Table(
    "sync_metadata",
    "What a grandmaster of SMPTE ST 2059-2 tells of the plant, once a second. Sent when the table has a zone or utc_offset_s.",
    (
        Field("zone", TEXT, "IANA time zone of the plant, such as `Europe/Berlin`.", absent="a fixed utc_offset_s"),
        Field("utc_offset_s", INTEGER, "Fixed offset of local time from UTC, instead of zone.", low=-86_400, high=86_400, unit="s", absent="that of the zone"),
        Field("frame_rate", TEXT, "Default system frame rate: a number such as `50`, or a fraction.", "25"),
        Field("drop_frame", BOOLEAN, "Time addresses are drop frame.", False),
        Field("daily_jam", TEXT, "Local time of the daily jam, `HH:MM` or `HH:MM:SS`.", absent="there is none"),
    ),
)  # fmt: skip

POWER = Table(
    "power",
    "The TLV of a power profile (IEEE C37.238) on Announce.",
    (
        Field("edition", CHOICE, "Which TLV.", choices=("none", "2011", "2017"), absent="as the profile says"),
        Field("grandmaster_id", INTEGER, "grandmasterID; 3..254 in the edition of 2011.", 0, 0, 0xFFFF),
        Field("time_inaccuracy_ns", INTEGER, "Of a grandmaster: how wrong its time may be; of a boundary clock: by how much it makes it worse.", low=0, high=0xFFFFFFFF, unit="ns", absent="250, or 200 for role boundary, which IEC/IEEE 61850-9-3 asks for"),
        Field("network_inaccuracy_ns", INTEGER, "Of a grandmaster: what the network behind it adds, as far as no clock there says so itself.", 0, 0, 0xFFFFFFFF, "ns"),
    ),
)  # fmt: skip

INSTANCE = Table(
    "instance",
    "A PTP Instance: one domain, with its data sets, ports, reference and servo. At least one, with at least one port.",
    (
        Field("name", TEXT, "Name in status and logs.", absent="`domain<domain>`"),
        Field("profile", TEXT, "Name of a profile that ships with ptpstack, or path of a profile file.", "default-e2e"),
        Field("role", CHOICE, "What this instance is meant to be; contradictions are findings.", choices=("ordinary", "grandmaster", "boundary"), absent="`ordinary` with one port, else `boundary`"),
        Field("domain", INTEGER, "defaultDS.domainNumber.", 0, 0, 255, profiled=True),
        Field("sdo_id", INTEGER, "defaultDS.sdoId.", 0, 0, 0xFFF, profiled=True),
        Field("priority1", INTEGER, "defaultDS.priority1: lower wins, before quality.", 128, 0, 255, absent="the profile's; 255 when client only", profiled=True),
        Field("priority2", INTEGER, "defaultDS.priority2: lower wins, after quality.", 128, 0, 255, absent="the profile's; 255 when client only", profiled=True),
        Field("clock_class", INTEGER, "clockClass while no reference speaks for the clock (7.6.2.5).", low=1, high=255, absent="the profile's for `free-running`; 255 when client only"),
        Field("clock_accuracy", ACCURACY, "clockAccuracy while no reference speaks for the clock.", absent="`unknown`"),
        Field("variance", INTEGER, "offsetScaledLogVariance (7.6.3).", 0xFFFF, 0, 0xFFFF, profiled=True),
        Field("client_only", BOOLEAN, "defaultDS.slaveOnly (8.2.1.4.4): never a master.", False),
        Field("clock_identity", IDENTITY, "defaultDS.clockIdentity, 16 hexadecimal digits.", absent="from the MAC of the first port"),
        Field("max_steps_removed", INTEGER, "defaultDS.maxStepsRemoved: masters this far away are ignored.", 255, 2, 255, profiled=True),
        Field("local_priority", INTEGER, "defaultDS.localPriority (ITU-T G.8275.1) of our own clock: lower wins, after priority2. For the `itu-alternate` BMCA.", 128, 1, 255),
        Field("external_port_configuration", BOOLEAN, "defaultDS.externalPortConfigurationEnabled (17.6): no election, each port does what its desired_state says.", None, absent="as the profile says (behaviour bmca)"),
        Field("wait_to_restore_s", NUMBER, "How long a master that was lost and is back is not preferred. For the `g8265.1` selection.", 300.0, 0, 86_400, "s"),
        Field("boundary_holdover_limit_ns", NUMBER, "How far a boundary clock that has lost its master may have drifted since, to call itself within its holdover specification, where the profile has clockClasses for that.", 400.0, 0, 1e9, "ns"),
        Field("performance_monitoring", BOOLEAN, "performanceMonitoringDS.enable (Annex J): keep figures of delays and offset by quarter of an hour, a day back. See `ptpstack performance`.", False),
        Field("path_trace", BOOLEAN, "pathTraceDS.enable (16.2): Announce lists the clocks it came through; one that lists ours is refused.", None, absent="as the profile says"),
        Field("clock", TEXT, "Name of the clock its ports read.", absent="the one clock there is"),
        Field("arb_is", CHOICE, "What time a grandmaster gives that announces ptpTimescale FALSE.", "unknown", choices=("unknown", "utc")),
        Field("feed_shm", INTEGER, "SHM segment to give what is measured to, for ntpd (127.127.28.N) and chronyd (refclock SHM N). See docs/feeding-chrony.md.", None, 0, 255, absent="none"),
        Field("feed_sock", TEXT, "Socket of chronyd (refclock SOCK) to give what is measured to.", absent="none"),
        Field("minor_version", INTEGER, "minorVersionPTP sent: 1 is PTP 2.1, 0 is 2.0 for equipment that rejects 2.1.", 1, 0, 1, profiled=True),
    ),
    (PORT, REFERENCE, SERVO, ACCEPTABLE_MASTER, ALTERNATE_TIME, SYNC_METADATA, POWER, MANAGEMENT),
    array=True,
)  # fmt: skip

EDGE = Table(
    "edge",
    "One clock follows another: PHC to system clock, system clock to PHC, PHC to PHC. See docs/graph.md.",
    (
        Field("from", TEXT, "Name of the clock that gives the time.", required=True),
        Field("to", TEXT, "Name of the clock that follows.", required=True),
        Field("log_interval", INTEGER, "Time between readings.", -3, -7, 10, "log2 s"),
        Field("samples", INTEGER, "Readings of a burst; every one counts.", 5, 1, 25),
        Field("always", BOOLEAN, "Follow also while nothing says that the source is right.", False),
    ),
    (SERVO,),
    array=True,
)

TRANSPARENT_PORT = Table(
    "port",
    "A port of a transparent clock.",
    (
        Field("interface", INTERFACE, "Network interface, given to the bridge: it needs no address, and no kernel bridge.", required=True),
        Field("delay_asymmetry_ns", NUMBER, "delayAsymmetry (7.4.2): positive when the path from the master is the longer one.", 0.0, -1e9, 1e9, "ns"),
        Field("ingress_latency_ns", NUMBER, "Between the wire and the receive time stamp (16.7).", 0.0, -1e9, 1e9, "ns"),
        Field("egress_latency_ns", NUMBER, "Between the transmit time stamp and the wire (16.7).", 0.0, -1e9, 1e9, "ns"),
    ),
    array=True,
)  # fmt: skip

TRANSPARENT = Table(
    "transparent",
    "A transparent clock: a software bridge that accounts for the time PTP messages spend inside. See docs/transparent.md.",
    (
        Field("name", TEXT, "Name in status and logs; an instance with a port on this interface is inside of it.", absent="`tc`, `tc-2`, ..."),
        Field("delay_mechanism", CHOICE, "`E2E`: ends measure the whole path, through it. `P2P`: every port measures its link, and a Sync carries the delay of the one that it came by.", "E2E", choices=("E2E", "P2P")),
        Field("transport", CHOICE, "P2P: the transport in which it asks its neighbours. It answers, and passes, all of them.", "udp4", choices=("udp4", "udp6", "l2")),
        Field("domain", INTEGER, "P2P: the domain in which it asks its neighbours (primaryDomain, 8.3.2.4). It answers, and passes, all of them.", 0, 0, 255),
        Field("log_min_pdelay_req_interval", INTEGER, "P2P: time between its Pdelay_Req.", 0, -7, 10, "log2 s"),
        Field("clock_identity", IDENTITY, "clockIdentity of its own messages, 16 hexadecimal digits.", absent="from the MAC of the first port"),
        Field("clock", TEXT, "Name of the clock that stamps its frames.", absent="the one clock there is"),
        Field("stamping", CHOICE, "Who stamps frames; `auto` is hardware when all its interfaces stamp on one clock.", "auto", choices=("auto", "hardware", "software")),
        Field("time_inaccuracy_ns", INTEGER, "What it adds to the inaccuracy in the TLV of a power profile (IEEE C37.238) on Announce; 0: nothing, Announce passes as it is. IEC/IEEE 61850-9-3 allows 50.", 0, 0, 4_294_967_295, "ns"),
        Field("syntonise", BOOLEAN, "Count the time inside in the master's seconds, not in those of our own clock.", True),
    ),
    (TRANSPARENT_PORT,),
    array=True,
)  # fmt: skip

#: The keys of a transparent clock that matter only to one that measures links.
LINK_KEYS = ("transport", "domain", "log_min_pdelay_req_interval")

SITE = Table("", "A site file.", (), (NODE, CLOCK, INSTANCE, EDGE, TRANSPARENT))

#: The keys of unicast that matter only to who serves, and only to who asks.
UNICAST_SERVING_KEYS = (
    "max_clients",
    "max_clients_per_address",
    "max_rate",
    "log_min_announce_interval",
    "log_min_sync_interval",
    "log_min_delay_resp_interval",
    "min_duration_s",
    "max_duration_s",
)
UNICAST_ASKING_KEYS = ("duration_s", "log_query_interval", "log_max_query_interval")

#: The keys that only a reference of type pps has.
PPS_KEYS = ("channel", "pin", "edge", "delay_ns", "tod", "tod_error_s")

#: The keys of simulated clocks; given on another type they have no effect, which is worth a word.
SIMULATED_CLOCK_KEYS = tuple(f.name for f in CLOCK.fields[CLOCK.fields.index(CLOCK.field("oscillator")) :])

#: keys of a port that only some delay mechanisms use
MECHANISM_KEYS: dict[str, tuple[str, ...]] = {
    "log_min_delay_req_interval": ("E2E", "AUTO"),
    "log_min_pdelay_req_interval": ("P2P", "COMMON_P2P", "AUTO"),
    "several_peers": ("P2P", "COMMON_P2P", "AUTO"),
}

#: Keys of a port that only some transports have, and which.
_UDP = ("udp4", "udp6")
TRANSPORT_KEYS = {"ttl": _UDP, "dscp_event": _UDP, "dscp_general": _UDP, "udp6_scope": ("udp6",)}
