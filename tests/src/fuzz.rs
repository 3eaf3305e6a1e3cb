//! Functions that the fuzz targets call.
