"""Profiles at work: the one that an instance names, its defaults and its ranges."""

from __future__ import annotations

from ptpstack.config.findings import ConfigError, Report, show
from ptpstack.config.profiles import PROFILED, Profile, any_profile, load_profile
from ptpstack.config.schema import Table
from ptpstack.config.validate import Section


class ProfileCache:
    """Each profile is read once per site; its findings are reported once, at the first instance that names it."""

    def __init__(self, base: str | None) -> None:
        self.base = base
        self.loaded: dict[str, Profile] = {}

    def get(self, section: Section, report: Report) -> Profile:
        name = section["profile"]
        if name not in self.loaded:
            try:
                self.loaded[name] = load_profile(name, self.base)
            except ConfigError as error:
                self._explain(section, name, error, report)
                self.loaded[name] = any_profile()
        return self.loaded[name]

    @staticmethod
    def _explain(section: Section, name: str, error: ConfigError, report: Report) -> None:
        for finding in error.findings:
            if finding.file:
                report.findings.append(finding)
        own = [f for f in error.findings if not f.file]
        for finding in own:
            reason = f"profile {show(name)} {finding.reason}" if error.source else finding.reason
            report.error(section.at("profile"), reason, finding.fix)
        if not own:
            report.error(
                section.at("profile"), f"profile {show(name)} has errors", "correct that file, see its findings"
            )


def apply_profile(section: Section, table: Table, profile: Profile, report: Report) -> None:
    """Fill in the profile's defaults; what the file gives must be in the profile's range."""
    for owner, spec in PROFILED:
        if owner is not table:
            continue
        parameter = profile.parameters[spec.name]
        value = section[spec.name]
        if value is None:
            section.values[spec.name] = parameter.default
        elif value not in parameter:
            report.error(
                section.at(spec.name),
                f"{value} is outside profile {show(profile.name)}, which allows {parameter.range}",
                'use a value in that range, or a profile that allows it ("unrestricted", or a file of your own)',
            )
