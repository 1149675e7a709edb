/* natgrad: natural-gradient learning. Everything in one include. */
#ifndef NATGRAD_NATGRAD_H
#define NATGRAD_NATGRAD_H

#include "natgrad/array.h"
#include "natgrad/base.h"
#include "natgrad/data.h"
#include "natgrad/family.h"
#include "natgrad/fit.h"
#include "natgrad/learners.h"
#include "natgrad/metric.h"
#include "natgrad/net.h"
#include "natgrad/network.h"
#include "natgrad/problem.h"
#include "natgrad/train.h"

#endif
