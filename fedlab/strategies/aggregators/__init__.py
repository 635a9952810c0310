"""How the updates of a round become one; every averaging strategy takes any of them.

====================  =============================================  ======================
rule                  result                                         a site counts by
====================  =============================================  ======================
`Mean`                weighted mean                                  its weight
`Median`              median of each parameter                       one
`TrimmedMean`         mean without the f ends of each parameter      one
`Krum`, `MultiKrum`   the update(s) with the others nearest          one
`GeometricMedian`     least sum of distances                         its weight
`NormClipping`        mean of shortened updates                      its weight
`CentredClipping`     mean of updates clipped about the median       its weight
====================  =============================================  ======================

Weights are those of the strategy's ``weighting``.
"""

from fedlab.strategies.aggregators.aggregator import Aggregator, Robust
from fedlab.strategies.aggregators.clipping import CentredClipping, NormClipping
from fedlab.strategies.aggregators.coordinatewise import Median, TrimmedMean
from fedlab.strategies.aggregators.geometric import GeometricMedian
from fedlab.strategies.aggregators.krum import Krum, MultiKrum
from fedlab.strategies.aggregators.mean import Mean

__all__ = [
    "Aggregator",
    "CentredClipping",
    "GeometricMedian",
    "Krum",
    "Mean",
    "Median",
    "MultiKrum",
    "NormClipping",
    "Robust",
    "TrimmedMean",
]
