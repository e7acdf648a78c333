#!/bin/sh
# Whether what the tests compare with is the same on every processor: makes it with the OpenBLAS kernels and the numpy
# instructions of several, and compares all files byte by byte. Needs the Python that tests/run.sh makes.
#
# One difference is expected and none of the tests rests on it: the affines of PAR/REC files (formats/manifest.txt) under
# kernels of processors without fused multiply-add, which nibabel's products of rotations come from.
#
# A processor with AVX-512 can run all of them; one without cannot run SkylakeX's.
set -eu
cd "$(dirname "$0")/../.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

make() {
    name=$1
    shift
    echo "== $name"
    env "$@" sh tests/oracle/make_all.sh .oracle/env/bin/python "$out/$name" .oracle/nilearn/nilearn >/dev/null
}

make haswell OPENBLAS_CORETYPE=Haswell
make zen OPENBLAS_CORETYPE=Zen
make skylakex OPENBLAS_CORETYPE=SkylakeX
make without_avx2 OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL"
make nehalem OPENBLAS_CORETYPE=Nehalem

status=0
for name in zen skylakex without_avx2; do
    diff -rq "$out/haswell" "$out/$name" || status=1
done
diff -rq --exclude=manifest.txt "$out/haswell" "$out/nehalem" || status=1
for name in haswell nehalem; do
    sed '/^PAR\/REC/s/|[^|]*/|affine/5' "$out/$name/formats/manifest.txt" >"$out/$name.txt"
done
cmp "$out/haswell.txt" "$out/nehalem.txt" || status=1
[ $status -eq 0 ] && echo "the same for all, but for PAR/REC affines without fused multiply-add"
exit $status
