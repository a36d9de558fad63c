#include "esper/services/tolaria/adapt/host_identity.h"

#include <algorithm>
#include <span>

namespace esper::tolaria {

Result<HostIdentity> identity_of(const graph::Program& host, const graph::TensorStore& store) {
    HostIdentity identity;
    for (const auto& p : host.parameters()) identity.names.push_back(p.name);
    for (const auto& b : host.buffers()) identity.names.push_back(b.name);
    std::ranges::sort(identity.names);
    identity.structure = host.hash().hex();
    Sha256Hasher whole;
    whole.update_field(identity.structure);
    for (const auto& name : identity.names) {
        ESPER_TRY(const auto found, store.find(name));
        const auto values = found.detach().contiguous();
        const auto each = sha256(std::span(static_cast<const std::byte*>(values.const_data_ptr()),
                                           values.nbytes()))
                              .hex();
        whole.update_field(name).update_field(each);
        identity.tensors += each.substr(0, 8);
    }
    identity.host = whole.finish().hex();
    return identity;
}

}  // namespace esper::tolaria
