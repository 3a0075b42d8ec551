"""How recommendations are written, whichever scan makes them: once for each key, and gone where it holds no more."""

from __future__ import annotations

_CHANGES = (
    "kind", "severity", "title", "description", "savings", "risk_reduction", "confidence", "evidence", "currency",
    "remedy",
)  # fmt: skip
_SAID = ", ".join(f"recommendations.{name}" for name in _CHANGES)
_SAYS = ", ".join(f"excluded.{name}" for name in _CHANGES)

GONE = "gone_at = now(), status = CASE o.status WHEN 'open' THEN 'gone' ELSE o.status END"

# What a person has decided stays decided; only what was gone is open again.
UPSERT = f"""
ON CONFLICT (tenant_id, key) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _CHANGES)},
    status = CASE recommendations.status WHEN 'gone' THEN 'open' ELSE recommendations.status END,
    gone_at = NULL, realised = NULL, realised_days = NULL
WHERE ({_SAID}) IS DISTINCT FROM ({_SAYS}) OR recommendations.gone_at IS NOT NULL
RETURNING xmax = 0 AS is_new
"""
