#ifndef ESPER_VERSION_H
#define ESPER_VERSION_H

#define ESPER_VERSION "0.1.0"
#define ESPER_VERSION_MAJOR 0
#define ESPER_VERSION_MINOR 1
#define ESPER_VERSION_PATCH 0

#ifdef __cplusplus
extern "C"
#endif
    /** The version of the library that is linked. */
    const char*
    esper_version(void);

#endif
