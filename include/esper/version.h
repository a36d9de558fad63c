#ifndef ESPER_VERSION_H
#define ESPER_VERSION_H

/* The only place that spells the version: CMakeLists.txt and pyproject.toml read it here. */
#define ESPER_VERSION_MAJOR 0
#define ESPER_VERSION_MINOR 1
#define ESPER_VERSION_PATCH 0

#define ESPER_VERSION_QUOTED_(number) #number
#define ESPER_VERSION_DOTTED_(major, minor, patch) \
    ESPER_VERSION_QUOTED_(major) "." ESPER_VERSION_QUOTED_(minor) "." ESPER_VERSION_QUOTED_(patch)
/** E.g. "1.2.3". */
#define ESPER_VERSION \
    ESPER_VERSION_DOTTED_(ESPER_VERSION_MAJOR, ESPER_VERSION_MINOR, ESPER_VERSION_PATCH)

#ifdef __cplusplus
extern "C"
#endif
    /** The version of the library that is linked. */
    const char*
    esper_version(void);

#endif
