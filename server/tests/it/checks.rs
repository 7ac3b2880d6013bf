//! Checks of the companion's own code that nothing else here would miss (`server/CHECKS.md`
//! has them all): each test fails when the check that it names is taken out.

mod endings;
