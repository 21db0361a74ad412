"""What the instance is: client only, server only, told, with or without Announce; its profile."""

from __future__ import annotations

from ptpstack.linuxptp.importing import gptp
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

PROFILE, TELECOM, STATIC = "unrestricted", "unrestricted-telecom", "unrestricted-static"


def profile(draft: Draft) -> None:
    settings = draft.settings
    telecom = settings.text("dataset_comparison") == "G.8275.x"
    static = settings.text("BMCA") == "noop" and all(settings.number("inhibit_announce", p) for p in settings.ports)
    if telecom and static:
        draft.refuse("BMCA", "static roles leave the telecom data set comparison nothing to compare", "use one of both")
    if gptp.is_gptp(draft) and gptp.built():
        draft.profile = gptp.AUTOMOTIVE if static else gptp.PROFILE
        if telecom:
            draft.refuse("dataset_comparison", "802.1AS has an election of its own", "use ieee1588")
    else:
        draft.profile = TELECOM if telecom else STATIC if static else PROFILE
    draft.instance["profile"] = draft.profile
    draft.row("dataset_comparison", KEPT, "instance.profile", draft.profile)
    for key in ("G.8275.defaultDS.localPriority", "G.8275.portDS.localPriority"):
        for port in ("", *settings.ports):
            ours = "instance.local_priority" if "default" in key else "port.local_priority"
            if not telecom:
                draft.row(key, NOT_NEEDED, remark="no effect without dataset_comparison G.8275.x", port=port)
                continue
            if port or "default" in key:
                draft.put(ours, settings.number(key, port), port)
            draft.row(key, KEPT, ours, settings.number(key, port), port=port)


def client_only(draft: Draft) -> None:
    """clientOnly, gmCapable 0 and clockClass 255 say the same of an ordinary clock."""
    settings = draft.settings
    several = len(settings.ports) > 1
    if settings.text("BMCA") == "noop":
        return
    fix = "use a configuration of one port, or serverOnly on the ports that serve"
    if settings.number("clientOnly"):
        if several:
            draft.refuse("clientOnly", "only an ordinary clock can be client only (8.2.1.4.4), with one port", fix)
            return
        draft.instance["client_only"] = True
        draft.row("clientOnly", KEPT, "instance.client_only", True)
    elif not settings.number("gmCapable"):
        if several:
            draft.refuse("gmCapable", "a boundary clock that may never be grandmaster is not built", fix)
            return
        draft.instance["client_only"] = True
        draft.row("gmCapable", KEPT, "instance.client_only", True)
    elif settings.number("clockClass") == 255:
        if several:
            draft.refuse("clockClass", "clockClass 255 is for client-only instances (7.6.2.5)", "use 248")
            return
        draft.instance["client_only"] = True
        draft.row("clockClass", KEPT, "instance.client_only", True, "clockClass 255 is for who is client only")
    draft.row("clientOnly", KEPT, "instance.client_only", False)
    draft.row("gmCapable", KEPT, "instance.client_only", False)
    if draft.instance.get("client_only"):
        for key in ("priority1", "priority2", "clockClass"):
            if settings.number(key) != 255:
                draft.row(key, NOT_NEEDED, remark="a client-only instance is never compared: ptpstack gives it 255")


def drop_of_clients(draft: Draft) -> None:
    """What ``simple`` has written, and a client-only or told instance has no use for."""
    if draft.instance.get("client_only"):
        for key in ("priority1", "priority2", "clock_class"):
            draft.instance.pop(key, None)
        for interface, port in draft.ports.items():
            if port.pop("server_only", False):
                draft.refuse(
                    "serverOnly", "the clock is client only: this port could be neither", "remove one", interface
                )


def static(draft: Draft) -> None:
    """BMCA noop: the roles are given."""
    settings = draft.settings
    told = settings.text("BMCA") == "noop"
    draft.one("BMCA")
    for port in settings.ports:
        if not told:
            if settings.number("inhibit_announce", port):
                draft.refuse(
                    "inhibit_announce", "without Announce nobody can be elected", "use it with BMCA noop only", port
                )
            if settings.number("inhibit_delay_req", port):
                draft.refuse("inhibit_delay_req", "ptpstack measures the path", "remove it", port)
            for key in ("inhibit_announce", "inhibit_delay_req", "ignore_source_id"):
                draft.row(key, NOT_NEEDED, port=port)
            continue
        server = bool(settings.number("serverOnly", port))
        if server == bool(settings.number("clientOnly")):
            draft.refuse("BMCA", "noop needs serverOnly or clientOnly to know the roles", "add one of them", port)
        draft.ports[port]["desired_state"] = "master" if server else "slave"
        draft.ports[port].pop("server_only", None)
        draft.row("serverOnly", KEPT, "port.desired_state", draft.ports[port]["desired_state"], port=port)
        for key in ("inhibit_announce", "ignore_source_id"):
            draft.row(key, KEPT, "instance.profile", draft.profile, port=port)
        if settings.number("inhibit_delay_req", port):
            draft.differs(
                "inhibit_delay_req",
                "ptpstack measures the path all the same",
                "nothing: unanswered requests are harmless",
                port,
            )
    if told:
        draft.instance["external_port_configuration"] = True
        for key in ("BMCA", "clientOnly"):
            draft.row(key, KEPT, "instance.external_port_configuration", True)
        draft.instance.pop("client_only", None)


def boundary(draft: Draft) -> None:
    """clock_type of what is no transparent clock."""
    kind = draft.settings.text("clock_type")
    count = len(draft.settings.ports)
    if kind == "BC" and count < 2:
        draft.refuse(
            "clock_type", f"a boundary clock needs two ports or more, this has {count}", "add -i INTERFACE, or use OC"
        )
    draft.row("clock_type", KEPT, "instance.role", "ordinary" if count < 2 else "boundary")
