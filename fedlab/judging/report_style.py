"""How the report of a benchmark looks: on paper, on a light screen and on a dark one."""

from __future__ import annotations

__all__ = ["COLOURS", "STYLE"]

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #59636e; --line: #d1d9e0;
  --block: #f5f7f9; --paper: #fff; --c1: #0072B2; --c2: #D55E00; --c3: #00805d; --c4: #b0568a;
  --c5: #a86f00; --c6: #2a8cc4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --faint: #9aa4af; --line: #3a424b;
  --block: #1c2126; --paper: #121519; --c1: #4aa8e0; --c2: #f2853a; --c3: #2fc79b; --c4: #dd96c0;
  --c5: #e6b03c; --c6: #8fd0f5; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 64rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin-top: 2.4rem; border-bottom: 1px solid var(--line);
  padding-bottom: .3rem; }
h3 { font-size: 1rem; margin-bottom: .3rem; }
.sub, figcaption, .note { color: var(--faint); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; overflow-wrap: normal; vertical-align: top; }
th { color: var(--faint); font-weight: 600; }
.text { text-align: left; white-space: normal; }
.best { font-weight: 700; }
.range { display: block; color: var(--faint); font-size: .8rem; }
.hash { font: .8rem ui-monospace, monospace; overflow-wrap: anywhere; min-width: 16rem; }
.wide { min-width: 36rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 1.2rem; } figure { margin: 0; break-inside: avoid; } svg { width: 100%; height: auto; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; list-style: none; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: 50%;
  margin-right: .4rem; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
svg .t { text-anchor: middle; } svg .e { text-anchor: end; }
svg .g { stroke: var(--line); fill: none; } svg .l { fill: none; stroke-width: 2; }
svg .b { opacity: .16; stroke: none; }
svg .c0 { stroke: var(--faint); stroke-width: 1.2; stroke-dasharray: 4 3; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } .scroll { overflow: visible; }
  table { font-size: 8pt; } th, td { white-space: normal; padding: .15rem .3rem; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""
COLOURS = "".join(
    f"svg .l.c{n} {{ stroke: var(--c{n}); }} svg .b.c{n}, svg .m.c{n} {{ fill: var(--c{n}); }} "
    f".k{n} {{ background: var(--c{n}); }}\n"
    for n in range(1, 7)
)
