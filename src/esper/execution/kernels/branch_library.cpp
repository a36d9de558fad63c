#include "esper/execution/kernels/branch_library.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "esper/execution/kernels/kernel_error.h"

namespace esper::execution {

namespace {

tl::unexpected<Error> refuse(const std::string& why) {
    return fail(KernelError::kNotLoadable, "the kernel's object " + why + "; compile it anew");
}

/// Reads structures out of an object's bytes, never beyond their end.
class Bytes {
  public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

    template <typename T>
    std::optional<T> at(std::uint64_t offset) const {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return {};
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }
    std::optional<std::string_view> text(std::uint64_t offset) const {
        if (offset >= bytes_.size()) return {};
        const auto end = bytes_.find('\0', offset);
        if (end == std::string_view::npos) return {};
        return bytes_.substr(offset, end - offset);
    }

  private:
    std::string_view bytes_;
};

Status check_dynamic(const Bytes& bytes, const Elf64_Shdr& section) {
    for (std::uint64_t i = 0; i + sizeof(Elf64_Dyn) <= section.sh_size; i += sizeof(Elf64_Dyn)) {
        const auto entry = bytes.at<Elf64_Dyn>(section.sh_offset + i);
        if (!entry) return refuse("is cut off");
        switch (entry->d_tag) {
            case DT_NULL:
                return {};
            case DT_NEEDED:
            case DT_RPATH:
            case DT_RUNPATH:
            case DT_AUXILIARY:
            case DT_FILTER:
                return refuse("names another library");
            case DT_INIT:
            case DT_FINI:
            case DT_INIT_ARRAY:
            case DT_FINI_ARRAY:
            case DT_PREINIT_ARRAY:
                return refuse("would run something when it is loaded");
            default:
                break;
        }
    }
    return {};
}

Status check_symbols(const Bytes& bytes, const Elf64_Shdr& section, const Elf64_Shdr& names) {
    for (std::uint64_t i = 0; i + sizeof(Elf64_Sym) <= section.sh_size; i += sizeof(Elf64_Sym)) {
        const auto symbol = bytes.at<Elf64_Sym>(section.sh_offset + i);
        if (!symbol) return refuse("is cut off");
        if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
            return refuse("would run something when it is loaded");
        if (symbol->st_shndx != SHN_UNDEF || symbol->st_name == 0) continue;
        const auto name = bytes.text(names.sh_offset + symbol->st_name);
        if (!name) return refuse("is cut off");
        if (*name != "memset" && *name != "memcpy")
            return refuse(
                fmt::format("asks for '{}', a kernel may ask for memset and memcpy", *name));
    }
    return {};
}

}  // namespace

Status check_object(std::string_view object) {
    const Bytes bytes(object);
    const auto head = bytes.at<Elf64_Ehdr>(0);
    const auto machine =
#if defined(__x86_64__)
        EM_X86_64;
#else
        EM_AARCH64;
#endif
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_type != ET_DYN ||
        head->e_machine != machine || head->e_shentsize != sizeof(Elf64_Shdr))
        return fail(KernelError::kBadBundle, "the kernel is no shared object of this machine");
    bool symbols = false;
    bool dynamic = false;
    for (std::uint64_t i = 0; i < head->e_shnum; ++i) {
        const auto section = bytes.at<Elf64_Shdr>(head->e_shoff + i * sizeof(Elf64_Shdr));
        if (!section) return refuse("is cut off");
        if (section->sh_type == SHT_DYNAMIC) {
            dynamic = true;
            ESPER_CHECK_STATUS(check_dynamic(bytes, *section));
        }
        if (section->sh_type == SHT_DYNSYM) {
            const auto names =
                bytes.at<Elf64_Shdr>(head->e_shoff + section->sh_link * sizeof(Elf64_Shdr));
            if (!names) return refuse("is cut off");
            symbols = true;
            ESPER_CHECK_STATUS(check_symbols(bytes, *section, *names));
        }
    }
    if (!symbols || !dynamic) return refuse("has no table of what it asks for");
    return {};
}

Result<BranchLibrary> load_branch_library(const std::string& id, std::string_view object) {
    ESPER_CHECK_STATUS(check_object(object));
    const int image = ::memfd_create("esper-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    // Sealed, so that the bytes that run are the bytes that were checked.
    constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    if (image < 0 ||
        ::write(image, object.data(), object.size()) != static_cast<ssize_t>(object.size()) ||
        ::fcntl(image, F_ADD_SEALS, kSeals) != 0) {
        if (image >= 0) ::close(image);
        return fail(KernelError::kUnreadable, "no memory for the kernel " + id);
    }
    void* library = ::dlopen(fmt::format("/proc/self/fd/{}", image).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        ::close(image);
        return fail(KernelError::kNotLoadable, fmt::format("{}: {}", id, ::dlerror()));
    }
    BranchLibrary made;
    // Open while it is mapped: the dynamic linker knows a library by its path, and would take the
    // next one that gets this descriptor for this one.
    made.handle = std::shared_ptr<void>(library, [image](void* l) {
        ::dlclose(l);
        ::close(image);
    });
    const auto info =
        reinterpret_cast<decltype(&esper_kernel_info)>(::dlsym(library, "esper_kernel_info"));
    made.forward =
        reinterpret_cast<decltype(&esper_kernel_forward)>(::dlsym(library, "esper_kernel_forward"));
    made.backward = reinterpret_cast<decltype(&esper_kernel_backward)>(
        ::dlsym(library, "esper_kernel_backward"));
    if (info == nullptr || made.forward == nullptr || made.backward == nullptr)
        return fail(KernelError::kMissingSymbol,
                    id + " lacks esper_kernel_info, esper_kernel_forward or esper_kernel_backward");
    made.info = info();
    if (made.info == nullptr || made.info->abi != ESPER_BRANCH_KERNEL_ABI)
        return fail(
            KernelError::kAbiMismatch,
            fmt::format("{} speaks kernel interface {}, this is {}; compile it anew", id,
                        made.info == nullptr ? 0 : made.info->abi, ESPER_BRANCH_KERNEL_ABI));
    return made;
}

}  // namespace esper::execution
