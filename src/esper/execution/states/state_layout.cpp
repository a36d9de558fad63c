#include "esper/execution/states/state_layout.h"

namespace esper::execution {

template class BasicStateTable<StdAtomics>;

}  // namespace esper::execution
