"""The doctor: examine a network with a sample of its data, and report what is wrong."""

from multilayer.doctor.diagnose import diagnose
from multilayer.doctor.diagnosis import Diagnosis
from multilayer.doctor.finding import Finding, FindingWarning

__all__ = ["Diagnosis", "Finding", "FindingWarning", "diagnose"]
