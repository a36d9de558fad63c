#include "esper/services/urza/file_system.h"

#include <fmt/format.h>
#include <sys/vfs.h>

#include <array>
#include <string_view>

#include "esper/base/fault_points.h"

namespace esper::urza {
namespace {

struct Network {
    std::uint32_t magic;  // of statfs(2)
    std::string_view name;
};
constexpr auto kNetworks = std::to_array<Network>({
    {0x6969, "NFS"},
    {0xff534d42, "SMB"},
    {0xfe534d42, "SMB"},
    {0x517b, "SMB"},
    {0x5346414f, "AFS"},
    {0x73757245, "Coda"},
    {0x00c36400, "Ceph"},
    {0x0bd00bd0, "Lustre"},
    {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"},
    {0x013661, "GlusterFS"},
    {0x01021997, "9p"},
    {0x20030528, "OrangeFS"},
});

}  // namespace

Status refuse_network(const std::filesystem::path& folder) {
    static FaultPoint fault{"urza.network_file_system"};
    struct statfs found {};
    if (::statfs(folder.c_str(), &found) != 0) return {};  // opening the file will say why
    auto magic = static_cast<std::uint32_t>(found.f_type);
    if (fault.fires()) magic = kNetworks.front().magic;
    for (const auto& network : kNetworks) {
        if (magic != network.magic) continue;
        return fail(UrzaError::kNetworkFileSystem,
                    fmt::format("{} lies on a network file system ({}), where several machines "
                                "would damage a SQLite file; set ESPER_LIBRARY to a folder on a "
                                "local disk, or to a database, postgresql://USER@HOST/DATABASE",
                                folder.string(), network.name));
    }
    return {};
}

Status make_private_folder(const std::filesystem::path& folder) {
    std::error_code error;
    if (std::filesystem::is_directory(folder, error)) return {};
    std::filesystem::create_directories(folder, error);
    if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    if (!error) return {};
    return fail(UrzaError::kReadOnly,
                fmt::format("{}: {}; set ESPER_LIBRARY to a folder that can be made",
                            folder.string(), error.message()));
}

}  // namespace esper::urza
