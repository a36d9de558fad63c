#ifndef ESPER_ESPER_H
#define ESPER_ESPER_H
// Everything a program that uses Esper as a library includes.

#include <esper/growing_module.h>
#include <esper/kernel_abi.h>
#include <esper/version.h>

#endif
