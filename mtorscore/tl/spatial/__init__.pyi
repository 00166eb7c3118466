from .global_tests import autocorrelation as autocorrelation
from .graphs import neighbours as neighbours
from .lobules import adjusted as adjusted
from .lobules import zonation as zonation
from .local_tests import hotspots as hotspots
from .regions import contrast as contrast
from .smoothing import smooth as smooth
