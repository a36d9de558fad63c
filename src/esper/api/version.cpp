#include "esper/version.h"

extern "C" const char* esper_version(void) { return ESPER_VERSION; }
