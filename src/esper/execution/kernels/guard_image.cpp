#include "esper/execution/kernels/guard_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "guard_program.h"

namespace esper::execution {

int guard_image() {
    static const int file = [] {
#ifdef MFD_EXEC
        constexpr unsigned kMayRun = MFD_EXEC;
#else
        constexpr unsigned kMayRun = 0x10;  // Linux 6.3, for systems that ask for it
#endif
        constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int made = ::memfd_create("esper-kernel-call", kFlags | kMayRun);
        if (made < 0 && errno == EINVAL) made = ::memfd_create("esper-kernel-call", kFlags);
        if (made < 0) return -1;
        constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        const auto size = static_cast<ssize_t>(sizeof kGuardProgram);
        if (::write(made, kGuardProgram, sizeof kGuardProgram) == size &&
            ::fcntl(made, F_ADD_SEALS, kSeals) == 0)
            return made;
        ::close(made);
        return -1;
    }();
    return file;
}

}  // namespace esper::execution
