package IM::Pages;

# Rows of stored pages, in the order of their pulls: DIR/pages as fetch leaves
# it, then the files given.  Each file given is a pull of its own, a directory
# is one pull with its files as pages.  A row without `to` gets that of its
# walk; `to` of a walk of a subscriber is ID/CLIENT.

use strict;
use warnings;

use IM::JSON qw(decode_json);
use IM::Sort qw(unescape);
use IM::Tables;


# A function that returns (row, repaired, version, rank).  The greater version
# is the later one; it begins with four digits of the pull and one of the kind
# of walk, 0 for the app and 1 for a conversation.  Ranks order the rows of one
# millisecond: pages go from the newest to the oldest, files of lines (.jsonl)
# from the oldest to the newest.

sub rows {
    my ($dir, $paths) = @_;
    my $next_file = files($dir, $paths);
    my ($next, $pull, $kind, $page, $up, $n, $to);

    return sub {
        while (1) {
            if (!$next) {
                ($pull, $kind, $page, my $file) = $next_file->() or return;
                (undef, $next) = IM::Tables::reader([ undef, $file ]);
                ($to) = $kind == 1 ? $file =~ m{([^/]+)/[^/]+$}
                      : $kind == 2 ? $file =~ m{([^/]+/[^/]+)/[^/]+$} : ();
                $up = $file =~ /\.jsonl(?:\.gz)?$/;
                $n = 0;
            }
            my ($raw) = $next->();
            if (!defined $raw) { undef $next; next }
            $n++;
            my ($row, $repaired) = eval { decode_json($raw) };
            if (defined $to && ref $row eq 'HASH') {
                $row->{to} = unescape($to) if $kind == 2 || !length($row->{to} // '');
            }
            my $place = $up ? sprintf '%08d%08d', $page, $n
                            : sprintf '%08d%08d', 99999999 - $page, 99999999 - $n;
            return ($row, $repaired, sprintf('%04d%d%08d%08d', $pull, $kind, $page, $n),
                    sprintf('%04d%d', $pull, $kind) . $place);
        }
    };
}


# a function that returns (pull, kind, page, file)

sub files {
    my ($dir, $paths) = @_;
    my @pulls = sort grep { m{/\d{4,}$} } glob "\Q$dir\E/pages/*";
    my $last = @pulls ? $pulls[-1] =~ s{.*/}{}r : 0;
    my (@todo, @files);

    # kind, levels of directories above those with pages

    for my $dir (@pulls) {
        my $pull = $dir =~ s{.*/}{}r;
        push @todo, [ $pull, 0, 0, "$dir/app" ], [ $pull, 1, 2, "$dir/conv" ],
                    [ $pull, 2, 2, "$dir/sys" ];
    }
    push @todo, [ ++$last, 0, -d $_ ? 0 : -1, $_ ] for @{ $paths || [] };

    return sub {
        while (1) {
            return @{ shift @files } if @files;
            my ($pull, $kind, $levels, $path) = @{ shift @todo // return };
            if ($levels < 0) {
                -f $path or die "$path: $!\n";
                return ($pull, 0, 1, $path);
            }
            my @names = names($path);
            if ($levels) {
                unshift @todo, map { [ $pull, $kind, $levels - 1, "$path/$_" ] } @names;
                next;
            }
            my $page = 0;
            @files = map { [ $pull, $kind, ++$page, "$path/$_" ] }
                     grep { /\.jsonl?(?:\.gz)?$/ } @names;
        }
    };
}


sub names {
    my ($dir) = @_;
    opendir my $d, $dir or return;
    return sort grep { !/^\./ } readdir $d;
}


1;
