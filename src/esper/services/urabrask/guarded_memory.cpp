#include "esper/services/urabrask/guarded_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace esper::urabrask {

namespace {

constexpr std::size_t kElement = 4;

std::size_t page() {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

struct Mapping {
    void* begin;
    std::size_t bytes;
};

void unmap(void* context) {
    auto* mapping = static_cast<Mapping*>(context);
    ::munmap(mapping->begin, mapping->bytes);
    delete mapping;
}

class Guarded final : public c10::Allocator {
  public:
    c10::DataPtr allocate(std::size_t n) override {
        const auto used = (n + kElement - 1) / kElement * kElement;
        const auto pages = (used + page() - 1) / page() * page();
        const auto bytes = pages + page();
        auto* begin = static_cast<char*>(
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        TORCH_CHECK(begin != MAP_FAILED, "no memory for ", n, " bytes");
        ::mprotect(begin + pages, page(), PROT_NONE);
        return {begin + pages - used, new Mapping{begin, bytes}, &unmap,
                c10::Device(c10::DeviceType::CPU)};
    }
    void copy_data(void* to, const void* from, std::size_t n) const override {
        std::memcpy(to, from, n);
    }
};

constexpr std::uint8_t kPriority = 100;
c10::Allocator* before = nullptr;

}  // namespace

GuardedMemory::GuardedMemory() {
    static Guarded guarded;
    before = c10::GetCPUAllocator();
    c10::SetCPUAllocator(&guarded, kPriority);
}

GuardedMemory::~GuardedMemory() { c10::SetCPUAllocator(before, kPriority); }

}  // namespace esper::urabrask
