"""Posture of controls and frameworks: as of an instant (`standing`), and day by day (`trend`)."""

from .facts import Evaluation, Facts, PolicyFacts, load_facts
from .judging import STATES, ControlPosture, PolicyVerdict, judge_control, judge_policy
from .standing import FrameworkPosture, control_postures, framework_postures, policy_verdicts
from .trend import Day, trend_of

__all__ = [
    "STATES",
    "ControlPosture",
    "Day",
    "Evaluation",
    "Facts",
    "FrameworkPosture",
    "PolicyFacts",
    "PolicyVerdict",
    "control_postures",
    "framework_postures",
    "judge_control",
    "judge_policy",
    "load_facts",
    "policy_verdicts",
    "trend_of",
]
