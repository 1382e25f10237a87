/* Benchmark "exitslong": "exits" for six times as long, in which what it takes to get going hardly counts. */
#define EXITS 1800000
#include "exits.c"
