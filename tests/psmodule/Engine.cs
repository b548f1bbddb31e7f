using Xunit;

// One controller for all: the tests do not run beside each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Umx.Tests;

[CollectionDefinition("engine", DisableParallelization = true)]
public sealed class EngineCollection
{
}
