/* Benchmark "computelong": "compute" for six times as long, so that little of it is the compilers' start. */
#define ROUNDS 240
#include "compute.c"
