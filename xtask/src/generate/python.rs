use super::Tree;
use super::surface::Surface;

pub(super) fn write(_: &Surface, _: &mut Tree) -> Result<(), String> {
    Ok(())
}
