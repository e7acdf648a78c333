"""Random PAR/REC files."""

import nibabel as nib

from .common import shape_of

GENERAL = """# === DATA DESCRIPTION FILE ======================================================
#
# CAUTION - Investigational device.
#
# Dataset name: made at random
#
# CLINICAL TRYOUT             Research image export tool     {version}
#
# === GENERAL INFORMATION ========================================================
#
.    Patient name                       :   phantom
.    Examination name                   :   random: {k}
.    Protocol name                      :   any
.    Examination date/time              :   2014.02.14 / 09:00:57
.    Series Type                        :   Image   MRSERIES
.    Acquisition nr                     :   2
.    Reconstruction nr                  :   1
.    Scan Duration [sec]                :   14
.    Max. number of cardiac phases      :   1
.    Max. number of echoes              :   {echoes}
.    Max. number of slices/locations    :   {slices}
.    Max. number of dynamics            :   {dynamics}
.    Max. number of mixes               :   1
.    Patient position                   :   Head First Supine
.    Preparation direction              :   Anterior-Posterior
.    Technique                          :   FEEPI
.    Scan resolution  (x, y)            :   64  39
.    Scan mode                          :   MS
.    Repetition time [{ms}]              :   {tr}
.    FOV (ap,fh,rl) [mm]                :   240.000  70.000  240.000
.    Water Fat shift [pixels]           :   11.050
.    Angulation midslice(ap,fh,rl)[degr]:   {angles}
.    Off Centre midslice(ap,fh,rl) [mm] :   {offset}
.    Flow compensation <0=no 1=yes> ?   :   0
.    Presaturation     <0=no 1=yes> ?   :   0
.    Phase encoding velocity [cm/sec]   :   0.000000  0.000000  0.000000
.    MTC               <0=no 1=yes> ?   :   0
.    SPIR              <0=no 1=yes> ?   :   1
.    EPI factor        <0,1=no EPI>     :   39
.    Dynamic scan      <0=no 1=yes> ?   :   {dynamic}
.    Diffusion         <0=no 1=yes> ?   :   {diffusion}
.    Diffusion echo time [ms]           :   0.0000
"""


def parrec(rng, folder, k, manifest):
    version = rng.choice(["V4", "V4.1", "V4.2"])
    bits = int(rng.choice([8, 16]))
    x, y, slices = shape_of(rng, 3, 3)
    echoes, dynamics = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    b_values = int(rng.integers(1, 3)) if version != "V4" else 1
    fixed = dict(size=bits, rx=x, ry=y, thick=round(rng.uniform(1, 5), 3), gap=round(rng.uniform(0, 1), 3),
                 orient=int(rng.integers(1, 4)), sx=round(rng.uniform(1, 4), 3), sy=round(rng.uniform(1, 4), 3))
    keys = [(s + 1, e + 1, d + 1, b + 1) for d in range(dynamics) for b in range(b_values) for e in range(echoes) for s in range(slices)]
    shuffle = rng.random()
    if shuffle < 0.4:
        keys = [keys[i] for i in rng.permutation(len(keys))]
    elif shuffle < 0.6:
        keys.sort()
    options = []
    if rng.random() < 0.2 and len(keys) > slices:
        keys = keys[: len(keys) - int(rng.integers(1, slices + 1))]
        options.append("permit_truncated")
    if rng.random() < 0.4:
        options.append("fp")
    if rng.random() < 0.3:
        options.append("strict_sort")
    same = rng.random() < 0.2
    constant = rng.normal(size=3) * 3
    lines = []
    for index, (s, e, d, b) in enumerate(keys):
        ri, rs, ss = constant if same else rng.normal(size=3) * 3
        words = [s, e, d, 1, 0, 2, index, fixed["size"], 61, fixed["rx"], fixed["ry"], f"{ri:.5f}", f"{rs:.5f}", f"{ss:.5e}",
                 1070, 1860, "-13.26", "-0.00", "-0.00", "2.51", "22.08", "-32.22", fixed["thick"], fixed["gap"], 0,
                 fixed["orient"], 0, 2, fixed["sx"], fixed["sy"], "30.00", "0.00", "0.00", b * 100.0, 1, "90.00", 0, 0, 0, 39, "0.0"]
        if version != "V4":
            words += [b, 1, "MS", "Q", "0.0", "0.0", "0.0"]
        if version == "V4.2":
            words += [1]
        lines.append("  " + "  ".join(map(str, words)))
    numbers = lambda n, scale: "  ".join(f"{v:.3f}" for v in rng.choice([0.0, *rng.normal(size=6) * scale], size=n))
    text = GENERAL.format(version=version, k=k, echoes=echoes, slices=slices, dynamics=dynamics,
                          ms=rng.choice(["ms", "msec"]), tr=f"{rng.uniform(100, 3000):.3f}", angles=numbers(3, 40),
                          offset=numbers(3, 30), dynamic=int(rng.random() < 0.7), diffusion=int(rng.random() < 0.5))
    if version != "V4":
        text += f".    Max. number of diffusion values    :   {b_values}\n.    Max. number of gradient orients    :   1\n"
    if version == "V4.2":
        text += ".    Number of label types   <0=no ASL> :   0\n"
    text += "#\n# === PIXEL VALUES ==\n#  PV = pixel value in REC file\n#\n#  sl ec  dyn ph ty\n\n" + "\n".join(lines) + "\n\n# === END OF DATA DESCRIPTION FILE ====\n"
    if rng.random() < 0.2:
        text = text.replace("\n", "\r\n")
    upper = rng.random() < 0.5
    par, rec = (f"{k}.PAR", f"{k}.REC") if upper else (f"{k}.par", f"{k}.rec")
    (folder / par).write_bytes(text.encode())
    (folder / rec).write_bytes(rng.bytes(x * y * len(keys) * bits // 8 + int(rng.integers(3))))
    keywords = dict(permit_truncated="permit_truncated" in options, strict_sort="strict_sort" in options,
                    scaling="fp" if "fp" in options else "dv")
    path = folder / (par if rng.random() < 0.5 else rec)
    manifest.add_nibabel("PAR/REC", path, ",".join(options), lambda path: nib.load(path, **keywords))
