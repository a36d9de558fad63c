#ifndef ESPER_ESPER_H
#define ESPER_ESPER_H
// The header for programs that use Esper as a library.

#include <esper/growing_module.h>
#include <esper/kernel_abi.h>
#include <esper/version.h>

#endif
