#include "esper/execution/kernels/kernel_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace esper::execution {

OwnedFd::~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
}

Result<OwnedFd> seal_image(std::string_view object) {
    auto failed = [](const char* what) {
        return fail(KernelError::kNotLoadable,
                    fmt::format("cannot put a kernel into sealed memory ({}): {}", what,
                                std::strerror(errno)));
    };
    OwnedFd image(::memfd_create("esper-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (image.get() < 0) return failed("memfd_create");
    std::size_t at = 0;
    while (at < object.size()) {
        const ssize_t n = ::write(image.get(), object.data() + at, object.size() - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return failed("write");
        at += static_cast<std::size_t>(n);
    }
    if (::fcntl(image.get(), F_ADD_SEALS,
                F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return failed("seal");
    }
    return image;
}

}  // namespace esper::execution
