"""The doctor: looks at a network and a sample of its data, and names what is wrong."""

from multilayer.inspection.doctor.diagnose import diagnose
from multilayer.inspection.doctor.diagnosis import Diagnosis
from multilayer.inspection.doctor.finding import Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]
